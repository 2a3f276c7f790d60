/**
 * Imported for its effect by whatever starts ONNX Runtime: since 1.29 its Linux and macOS builds send usage events and keep
 * a device identifier in the cache folder, unless this variable is set before the first session. Captioning a picture on
 * one's own machine is nobody else's business; a variable that the user has set, even to nothing, is left as it is.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
