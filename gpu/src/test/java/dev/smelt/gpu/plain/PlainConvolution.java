package dev.smelt.gpu.plain;

/** y[o, p, q] = b[o] + Σ w[o, c, i, j] x[c, p·s − pad + i·d, q·s − pad + j·d], by the book. */
public final class PlainConvolution {

  private PlainConvolution() {}

  /**
   * @param x [channels, height, width]
   * @param w [out, channels, kernel height, kernel width]
   * @param bias [out] or null-length for none
   * @param sizes out, channels, height, width, kernel height, kernel width
   * @param stride and the others: height, width
   * @return [out, output height, output width]
   */
  public static double[] of(
      double[] x,
      double[] w,
      double[] bias,
      int[] sizes,
      int[] stride,
      int[] padding,
      int[] dilation) {
    int out = sizes[0];
    int channels = sizes[1];
    int height = sizes[2];
    int width = sizes[3];
    int rows = outputs(height, sizes[4], stride[0], padding[0], dilation[0]);
    int columns = outputs(width, sizes[5], stride[1], padding[1], dilation[1]);
    double[] y = new double[out * rows * columns];
    for (int at = 0; at < y.length; at++) {
      int o = at / (rows * columns);
      int p = at / columns % rows;
      int q = at % columns;
      y[at] = bias.length == 0 ? 0 : bias[o];
      for (int c = 0; c < channels; c++) {
        for (int i = 0; i < sizes[4]; i++) {
          for (int j = 0; j < sizes[5]; j++) {
            int v = p * stride[0] - padding[0] + i * dilation[0];
            int u = q * stride[1] - padding[1] + j * dilation[1];
            if (v >= 0 && v < height && u >= 0 && u < width) {
              y[at] +=
                  w[((o * channels + c) * sizes[4] + i) * sizes[5] + j]
                      * x[(c * height + v) * width + u];
            }
          }
        }
      }
    }
    return y;
  }

  /** Output positions along one axis. */
  public static int outputs(int length, int kernel, int stride, int padding, int dilation) {
    int count = 0;
    int last = length + padding - dilation * (kernel - 1) - 1;
    for (int start = -padding; start <= last; start += stride) {
      count++;
    }
    return count;
  }
}
