/**
 * What the provider's libraries read of the environment. A process whose driver starts in a thread has it from its start: no variable may be set
 * while a thread may read one.
 */

/** cuBLAS takes this much for each session at its first product instead of its default, 32 MiB, and is no slower. */
export const CUBLAS_WORKSPACE_CONFIG = ':16:8';
/**
 * ONNX Runtime 1.30 has cuDNN attend on compute capability 9.0 and later, by a graph that cuDNN makes anew for each shape. Its own kernels take
 * a picture as long (H200: 6.3 and 6.2 ms), and none of them is made anew.
 */
export const ORT_ENABLE_CUDNN_FLASH_ATTENTION = '0';
