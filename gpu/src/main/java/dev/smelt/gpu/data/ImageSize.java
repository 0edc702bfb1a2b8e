package dev.smelt.gpu.data;

import dev.smelt.formats.UsageException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Height and width of an image, in pixels. */
public record ImageSize(int height, int width) {

  /** Far beyond what networks take; keeps products of sizes within an int. */
  static final int MAX = 16_384;

  private static final Pattern TEXT = Pattern.compile("(\\d{1,5})(?:x(\\d{1,5}))?");

  public ImageSize {
    if (height < 1 || height > MAX || width < 1 || width > MAX) {
      throw new UsageException(
          "no such size of an image: " + height + "x" + width, "use 1 to " + MAX + " pixels");
    }
  }

  /**
   * Reads {@code H} for a square, or {@code HxW}.
   *
   * @throws UsageException on anything else
   */
  public static ImageSize parse(String text) {
    Matcher found = TEXT.matcher(text);
    if (!found.matches()) {
      throw new UsageException("no such size of an image: " + text, "use H or HxW, in pixels");
    }
    int height = Integer.parseInt(found.group(1));
    return new ImageSize(
        height, found.group(2) == null ? height : Integer.parseInt(found.group(2)));
  }

  @Override
  public String toString() {
    return height + "x" + width;
  }
}
