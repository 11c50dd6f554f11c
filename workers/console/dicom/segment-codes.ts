import dcmjs, { type Dataset } from 'dcmjs';

/** A structure of the label map, from an adapter's labels or regions. */
export interface SegmentLabel {
  readonly value: number;
  readonly name: string;
  readonly color?: readonly [number, number, number] | undefined;
  readonly code?: { readonly scheme: string; readonly value: string; readonly meaning: string } | undefined;
}

/** Of a code's text, in characters (DICOM PS3.5, value representations LO and SH). */
const MEANING_MAX = 64;
const VALUE_MAX = 16;

/** What every segment is one of, and what a segment is whose label has no code: its name alone says more. */
const CATEGORY = code('SCT', '123037004', 'Anatomical Structure');
const TYPE = code('SCT', '85756007', 'Tissue');

/** A coded concept. A value too long for its element is one of the longer kind (DICOM PS3.3, section 8.1). */
export function code(scheme: string, value: string, meaning: string): Dataset {
  const name = value.length <= VALUE_MAX ? 'CodeValue' : 'LongCodeValue';
  return { [name]: value, CodingSchemeDesignator: scheme, CodeMeaning: text(meaning) };
}

/** An item of the Segment Sequence (DICOM PS3.3, section C.8.20.2). */
export function segmentItem({ name, color, code: given }: SegmentLabel, number: number): Dataset {
  return {
    SegmentNumber: number,
    SegmentLabel: text(name),
    SegmentAlgorithmType: 'AUTOMATIC',
    SegmentAlgorithmName: 'PDoRA Serve',
    SegmentedPropertyCategoryCodeSequence: [CATEGORY],
    SegmentedPropertyTypeCodeSequence: [
      given === undefined ? TYPE : code(given.scheme, given.value, given.meaning || name),
    ],
    ...(color === undefined ? {} : { RecommendedDisplayCIELabValue: dcmjs.data.Colors.rgb82DICOMLAB(color) }),
  };
}

/** What a text element may hold: a backslash would begin another value. */
function text(given: string): string {
  return Array.from(given.replace(/[\\\p{Cc}]/gu, ' '))
    .slice(0, MEANING_MAX)
    .join('');
}
