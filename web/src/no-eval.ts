/** The page's policy forbids code made of text: zod is told before any schema tries. */
import { config } from 'zod';

config({ jitless: true });
