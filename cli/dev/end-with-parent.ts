import { watchParent } from './parent.ts';

// Loaded with --import into what `dev` starts: nothing may be left when `dev` itself is killed.
watchParent(() => process.kill(process.pid, 'SIGTERM'));
