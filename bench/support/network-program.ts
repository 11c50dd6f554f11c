import { limit } from '../limit.ts';
import { profile } from '../profile.ts';
import { swapCost } from '../swap-cost.ts';

/** What is measured on sessions of this process's own. */
const MEASURES = { limit, profile, 'swap-cost': swapCost } as const;
export type NetworkMeasure = keyof typeof MEASURES;

const name = process.argv[2];
const [, measure] = Object.entries(MEASURES).find(([key]) => key === name) ?? [];
if (measure !== undefined) process.send?.(await measure(), () => process.disconnect());
