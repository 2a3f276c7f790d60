import type { Device } from '../map/device-map.js';
import type { Location } from './price-list.js';

/** Where a place keeps its weights: the value in the device map. */
export function deviceOfPlace(place: Location): Device {
  return place.execution === 'resident' ? place.gpu : place.store;
}
