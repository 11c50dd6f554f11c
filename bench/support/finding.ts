import { round } from './statistics.ts';

/** What a rule allows, and what was found; both in the unit that the rule names. */
export interface Finding {
  readonly rule: string;
  readonly found: number;
  readonly allowed: number;
  /** What the figure was made of. */
  readonly detail: string;
  readonly within: boolean;
}

export function atMost(rule: string, found: number, allowed: number, detail: string): Finding {
  return { rule, found: round(found), allowed: round(allowed), detail, within: found <= allowed };
}

export function atLeast(rule: string, found: number, allowed: number, detail: string): Finding {
  return { rule, found: round(found), allowed: round(allowed), detail, within: found >= allowed };
}
