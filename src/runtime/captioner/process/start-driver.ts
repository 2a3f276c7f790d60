/**
 * The first that the model's process imports: the driver of the card that `ModelProcess` names starts in a thread, while this one loads
 * its libraries.
 */
import { DriverThread } from '../../device/memory/driver-thread.js';

const [, , card] = process.argv;
if (card !== undefined) DriverThread.start(Number(card));
