package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.storage.Storage;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * An image in planes of red, green and blue.
 *
 * @param planes [3, height, width], row-major, 0 to 1: stored values over the largest of their
 *     type. Grey is all three; opacity is left out; colour profiles are not applied
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
record Rgb(ImageSize size, float[] planes) {

  static final int CHANNELS = 3;

  /** No photograph is larger; a small file can claim to be. */
  private static final long MAX_PIXELS = 1L << 26;

  private static final long MAX_BYTES = 256L << 20;

  private static final String ADVICE = "repair it or take it out of the data";

  /** Work on the image in a file. */
  private interface Use<T> {
    T of(ImageReader reader) throws IOException;
  }

  /**
   * Reads a PNG or a JPEG.
   *
   * @throws CorruptException naming the file
   */
  static Rgb read(Path file) {
    return use(
        file,
        reader -> {
          requireSize(reader, file);
          return of(reader.read(0), file);
        });
  }

  /** What the header says. */
  static ImageSize sizeOf(Path file) {
    return use(file, reader -> requireSize(reader, file));
  }

  private static <T> T use(Path file, Use<T> work) {
    byte[] bytes = Storage.local().read(file, MAX_BYTES);
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        throw new CorruptException("not an image", file.toString(), "", ADVICE);
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(in, true, true);
        return work.of(reader);
      } finally {
        reader.dispose();
      }
    } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
      // The library's readers also answer damage with the last two.
      throw new CorruptException(
          "image cannot be read", file.toString(), String.valueOf(e.getMessage()), ADVICE);
    }
  }

  private static ImageSize requireSize(ImageReader reader, Path file) throws IOException {
    long height = reader.getHeight(0);
    long width = reader.getWidth(0);
    if (Math.max(height, width) > ImageSize.MAX || height * width > MAX_PIXELS) {
      throw new LimitException(
          "image too large",
          file.toString(),
          "has " + height + "x" + width + " pixels, at most " + MAX_PIXELS,
          "make it smaller");
    }
    return new ImageSize((int) height, (int) width);
  }

  private static Rgb of(BufferedImage image, Path file) {
    ImageSize size = new ImageSize(image.getHeight(), image.getWidth());
    int pixels = size.height() * size.width();
    float[] planes = new float[CHANNELS * pixels];
    if (image.getColorModel() instanceof IndexColorModel palette) {
      int[] indices =
          image.getRaster().getSamples(0, 0, size.width(), size.height(), 0, (int[]) null);
      for (int i = 0; i < pixels; i++) {
        planes[i] = palette.getRed(indices[i]) / 255f;
        planes[pixels + i] = palette.getGreen(indices[i]) / 255f;
        planes[2 * pixels + i] = palette.getBlue(indices[i]) / 255f;
      }
      return new Rgb(size, planes);
    }
    // Samples as stored: BufferedImage.getRGB would take grey values as linear and brighten them.
    Raster raster = image.getRaster();
    int bands = image.getColorModel().getNumColorComponents();
    if (bands != 1 && bands != CHANNELS) {
      throw new UnsupportedException(
          "image of " + bands + " colours",
          file.toString(),
          "expected grey, or red, green and blue",
          "convert it");
    }
    float scale = (1 << image.getColorModel().getComponentSize(0)) - 1;
    for (int c = 0; c < CHANNELS; c++) {
      int band = bands == 1 ? 0 : c;
      int[] samples = raster.getSamples(0, 0, size.width(), size.height(), band, (int[]) null);
      for (int i = 0; i < pixels; i++) {
        planes[c * pixels + i] = samples[i] / scale;
      }
    }
    return new Rgb(size, planes);
  }

  /**
   * Scaled by one factor until it just covers {@code target}, then its middle. Each value is the
   * mean of those near it with weights 1 − |distance|/s (bilinear), s the pixels of this image per
   * pixel of the result where it shrinks and else 1, so that none is skipped.
   */
  Rgb fitted(ImageSize target) {
    if (target.equals(size)) {
      return this;
    }
    double factor =
        Math.max((double) target.height() / size.height(), (double) target.width() / size.width());
    Taps rows = Taps.of(size.height(), target.height(), factor);
    Taps columns = Taps.of(size.width(), target.width(), factor);
    float[] result = new float[CHANNELS * target.height() * target.width()];
    float[] narrow = new float[size.height() * target.width()];
    for (int c = 0; c < CHANNELS; c++) {
      for (int y = 0; y < size.height(); y++) {
        int row = (c * size.height() + y) * size.width();
        for (int x = 0; x < target.width(); x++) {
          narrow[y * target.width() + x] = columns.mean(x, planes, row, 1);
        }
      }
      for (int y = 0; y < target.height(); y++) {
        int row = (c * target.height() + y) * target.width();
        for (int x = 0; x < target.width(); x++) {
          result[row + x] = rows.mean(y, narrow, x, target.width());
        }
      }
    }
    return new Rgb(target, result);
  }

  /** Normalised. */
  Rgb normalized(Normalization by) {
    float[] result = planes.clone();
    int pixels = size.height() * size.width();
    for (int i = 0; i < result.length; i++) {
      int c = i / pixels;
      result[i] = (float) ((result[i] - by.mean().get(c)) / by.deviation().get(c));
    }
    return new Rgb(size, result);
  }
}
