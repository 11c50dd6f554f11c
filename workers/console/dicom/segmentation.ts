import dcmjs, { type Dataset } from 'dcmjs';
import { frameItem, framesOf, packBits } from './frames.ts';
import { readLabelMap } from './label-map.ts';
import { along, type Plane, planesOf } from './planes.ts';
import { type SegmentLabel, segmentItem } from './segment-codes.ts';
import { SegmentationError } from './segmentation-error.ts';
import { readSeries, type Slice } from './source-series.ts';

export interface SegmentationRequest {
  /** The files of the source series, in any order; their pixels are not read. */
  readonly series: readonly Uint8Array[];
  /** The service's answer, NIfTI. */
  readonly labelMap: Uint8Array;
  /** What its values mean; the background is left out. */
  readonly labels: readonly SegmentLabel[];
  readonly now: Date;
  /** A new one with each call, such as `2.25.` and a UUID as a number. */
  readonly newUid: () => string;
}

const SEGMENTATION_STORAGE = '1.2.840.10008.5.1.4.1.1.66.4';
const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

/** What a segmentation repeats of its source: the same patient, study and frame of reference. */
const REPEATED = [
  'PatientName',
  'PatientID',
  'PatientBirthDate',
  'PatientSex',
  'StudyInstanceUID',
  'StudyDate',
  'StudyTime',
  'StudyID',
  'AccessionNumber',
  'ReferringPhysicianName',
  'FrameOfReferenceUID',
  'PositionReferenceIndicator',
] as const;

/**
 * A label map as DICOM Segmentation (PS3.3, section A.51): binary, a frame for each segment on each slice that it
 * touches, each on the slice of the source series that lies there. Answers the bytes of a Part 10 file. Throws
 * `SegmentationError` with what stands in the way; the label map as NIfTI is as good as before.
 */
export function dicomSegmentation({ series, labelMap, labels, now, newUid }: SegmentationRequest): Uint8Array {
  const planes = planesOf(readSeries(series), readLabelMap(labelMap));
  const segments = labels.filter(({ value }) => value !== 0);
  const known = new Set([0, ...segments.map(({ value }) => value)]);
  if (planes.some((plane) => plane.labels.some((label) => !known.has(label)))) {
    throw new SegmentationError('The label map has a value that no label names.');
  }
  const frames = framesOf(planes, segments);
  const [first] = planes;
  if (first === undefined || frames.length === 0) {
    throw new SegmentationError('Nothing was segmented, and a DICOM segmentation has one frame at least.');
  }
  const organization = newUid();
  const dataset = {
    _meta: { TransferSyntaxUID: { Value: [EXPLICIT_LITTLE_ENDIAN], vr: 'UI' } },
    ...Object.fromEntries(REPEATED.map((name) => [name, first.slice.header[name] ?? ''])),
    ...about(now, newUid),
    ...pixels(first.slice),
    NumberOfFrames: String(frames.length),
    SegmentSequence: segments.map((segment, n) => segmentItem(segment, n + 1)),
    ReferencedSeriesSequence: [referenced(planes)],
    DimensionOrganizationSequence: [{ DimensionOrganizationUID: organization }],
    DimensionIndexSequence: [
      dimension(organization, 0x0062000b, 0x0062000a),
      dimension(organization, 0x00200032, 0x00209113),
    ],
    SharedFunctionalGroupsSequence: [shared(planes)],
    PerFrameFunctionalGroupsSequence: frames.map(frameItem),
    PixelData: [packBits(frames)],
    _vrMap: { PixelData: 'OB' },
  };
  return new Uint8Array(dcmjs.data.datasetToDict(dataset).write());
}

function about(now: Date, newUid: () => string): Dataset {
  const [date = '', time = ''] = now
    .toISOString()
    .replace(/[-:]|\..*/g, '')
    .split('T');
  return {
    SpecificCharacterSet: 'ISO_IR 192',
    SOPClassUID: SEGMENTATION_STORAGE,
    SOPInstanceUID: newUid(),
    SeriesInstanceUID: newUid(),
    Modality: 'SEG',
    SeriesNumber: '1000',
    SeriesDescription: 'PDoRA Serve segmentation, for research',
    InstanceNumber: '1',
    ImageType: ['DERIVED', 'PRIMARY'],
    Manufacturer: 'PDoRA Serve',
    ManufacturerModelName: 'PDoRA Serve',
    DeviceSerialNumber: '1',
    SoftwareVersions: '1',
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    SeriesDate: date,
    SeriesTime: time,
    ContentDate: date,
    ContentTime: time,
    ContentLabel: 'SEGMENTATION',
    ContentDescription: '',
    ContentCreatorName: '',
  };
}

function pixels({ rows, columns }: Slice): Dataset {
  return {
    Rows: rows,
    Columns: columns,
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    BitsAllocated: 1,
    BitsStored: 1,
    HighBit: 0,
    PixelRepresentation: 0,
    LossyImageCompression: '00',
    SegmentationType: 'BINARY',
    SegmentsOverlap: 'NO',
  };
}

function referenced(planes: readonly Plane[]): Dataset {
  return {
    SeriesInstanceUID: planes[0]?.slice.header['SeriesInstanceUID'],
    ReferencedInstanceSequence: planes.map(({ slice: { header } }) => ({
      ReferencedSOPClassUID: header['SOPClassUID'],
      ReferencedSOPInstanceUID: header['SOPInstanceUID'],
    })),
  };
}

function dimension(organization: string, index: number, group: number): Dataset {
  return {
    DimensionOrganizationUID: organization,
    DimensionIndexPointer: index,
    FunctionalGroupPointer: group,
  };
}

/** Pixel measures and orientation. Slices are as thick as their header says, else as they lie apart. */
function shared(planes: readonly Plane[]): Dataset {
  const [first, second] = planes;
  const header = first?.slice.header ?? {};
  const apart = first && second ? along(second.slice) - along(first.slice) : null;
  const thickness = Number(header['SliceThickness']) || (apart ?? 1);
  return {
    PixelMeasuresSequence: [
      {
        PixelSpacing: header['PixelSpacing'],
        SliceThickness: thickness.toPrecision(8),
        ...(apart === null ? {} : { SpacingBetweenSlices: apart.toPrecision(8) }),
      },
    ],
    PlaneOrientationSequence: [{ ImageOrientationPatient: header['ImageOrientationPatient'] }],
  };
}
