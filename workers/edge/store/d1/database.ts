/** What the stores need of D1; a session has it too. */
export type Database = Pick<D1DatabaseSession, 'prepare' | 'batch'>;
