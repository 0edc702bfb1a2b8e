package dev.smelt.gpu.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageFolderTest {

  /** f32 against f64 sums of a few values between 0 and 1. */
  private static final float TOLERANCE = 1e-6f;

  private static final InputSpec OPEN = new InputSpec.Open();

  @TempDir private Path folder;

  private static InputSpec images(int height, int width, String... labels) {
    return new InputSpec.Images(3, height, width, List.of(labels));
  }

  private Path image(String name, int type, int height, int width, long seed) {
    BufferedImage image = new BufferedImage(width, height, type);
    Random random = new Random(seed);
    int[] sample = new int[image.getRaster().getNumBands()];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        for (int b = 0; b < sample.length; b++) {
          sample[b] = random.nextInt(1 << image.getColorModel().getComponentSize(b));
        }
        image.getRaster().setPixel(x, y, sample);
      }
    }
    return write(name, image);
  }

  private Path write(String name, BufferedImage image) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      assertThat(ImageIO.write(image, name.endsWith(".png") ? "png" : "jpg", bytes)).isTrue();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return TestCheckpoints.write(folder.resolve(name), bytes.toByteArray());
  }

  private void rgb(String name, int height, int width) {
    image(name, BufferedImage.TYPE_3BYTE_BGR, height, width, name.hashCode());
  }

  private Dataset read(InputSpec input, DataOptions options) {
    return Dataset.read(folder, new ByteTokenizer(), input, options);
  }

  private static List<Integer> labels(Dataset data) {
    return data.examples().stream().map(example -> ((Example.Values) example).label()).toList();
  }

  private static float[] values(Dataset data, int example) {
    return data.batch(example, 1).values().elements();
  }

  private float[] only(DataOptions options) {
    return values(read(OPEN, options), 0);
  }

  @Test
  void readsClassesAndFilesInTheOrderOfTheirNames() {
    rgb("cat/2.png", 2, 3);
    rgb("cat/1.jpg", 2, 3);
    rgb("ant/9.jpeg", 2, 3);
    Dataset data = read(OPEN, DataOptions.ALL);
    assertThat(data.task()).isEqualTo(Task.CLASSIFICATION);
    assertThat(data.seqLen()).isEmpty();
    assertThat(labels(data)).containsExactly(0, 1, 1);
    TensorBatch batch = data.batch(0, 3).values();
    assertThat(batch.shape()).isEqualTo(Shape.of(3, 2, 3));
    assertThat(batch.elements()).hasSize(3 * 3 * 2 * 3);
    assertThat(batch.tokenCount()).isZero();
    assertThat(values(data, 2)).isEqualTo(Rgb.read(folder.resolve("cat/2.png")).planes());
    assertThat(labels(read(OPEN, DataOptions.ALL.withSamples(2)))).containsExactly(0, 1);
  }

  @Test
  void looksBelowOneFolderThatHoldsAllClasses() {
    rgb("all/cat/1.png", 2, 2);
    rgb("all/dog/1.png", 2, 2);
    assertThat(labels(read(OPEN, DataOptions.ALL))).containsExactly(0, 1);
  }

  @Test
  void hashesNamesAndContents() throws IOException, NoSuchAlgorithmException {
    rgb("b/1.png", 2, 2);
    rgb("a/2.png", 2, 2);
    String lines =
        sha256(Files.readAllBytes(folder.resolve("a/2.png")))
            + "  a/2.png\n"
            + sha256(Files.readAllBytes(folder.resolve("b/1.png")))
            + "  b/1.png\n";
    String hash = read(OPEN, DataOptions.ALL.withSamples(1)).sha256();
    assertThat(hash).isEqualTo(sha256(lines.getBytes(StandardCharsets.UTF_8)));
    Files.move(folder.resolve("b/1.png"), folder.resolve("b/2.png"));
    assertThat(read(OPEN, DataOptions.ALL).sha256()).isNotEqualTo(hash);
  }

  private static String sha256(byte[] bytes) throws NoSuchAlgorithmException {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
  }

  @Test
  void takesValuesAsStored() throws IOException {
    BufferedImage grey = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_GRAY);
    grey.getRaster().setSample(0, 0, 0, 128);
    grey.getRaster().setSample(1, 0, 0, 255);
    write("a/grey.png", grey);
    float half = 128 / 255f;
    assertThat(only(DataOptions.ALL)).containsExactly(half, 1, half, 1, half, 1);
    Files.delete(folder.resolve("a/grey.png"));

    BufferedImage transparent = new BufferedImage(2, 1, BufferedImage.TYPE_4BYTE_ABGR);
    transparent.getRaster().setPixel(0, 0, new int[] {51, 102, 153, 0});
    transparent.getRaster().setPixel(1, 0, new int[] {255, 0, 204, 7});
    write("a/rgba.png", transparent);
    assertThat(only(DataOptions.ALL))
        .containsExactly(51 / 255f, 1, 102 / 255f, 0, 153 / 255f, 204 / 255f);
    Files.delete(folder.resolve("a/rgba.png"));

    BufferedImage deep = new BufferedImage(1, 1, BufferedImage.TYPE_USHORT_GRAY);
    deep.getRaster().setSample(0, 0, 0, 32_768);
    write("a/deep.png", deep);
    float value = 32_768 / 65_535f;
    assertThat(only(DataOptions.ALL)).containsExactly(value, value, value);
    Files.delete(folder.resolve("a/deep.png"));

    byte[] ramp = {0, 85, (byte) 170, (byte) 255};
    IndexColorModel palette = new IndexColorModel(2, 4, ramp, new byte[4], ramp);
    BufferedImage indexed = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_BINARY, palette);
    indexed.getRaster().setSample(0, 0, 0, 1);
    indexed.getRaster().setSample(1, 0, 0, 3);
    write("a/palette.png", indexed);
    assertThat(only(DataOptions.ALL)).containsExactly(85 / 255f, 1, 0, 0, 85 / 255f, 1);
  }

  @Test
  void readsJpegs() {
    BufferedImage flat = new BufferedImage(8, 8, BufferedImage.TYPE_3BYTE_BGR);
    for (int i = 0; i < 64; i++) {
      flat.setRGB(i % 8, i / 8, 0xc04020);
    }
    write("a/flat.jpg", flat);
    float[] values = only(DataOptions.ALL);
    // JPEG rounds in another colour space: within 3 of 255.
    assertThat(values[0]).isCloseTo(0xc0 / 255f, within(3 / 255f));
    assertThat(values[64]).isCloseTo(0x40 / 255f, within(3 / 255f));
    assertThat(values[128]).isCloseTo(0x20 / 255f, within(3 / 255f));
  }

  @Test
  void normalises() {
    rgb("a/1.png", 2, 2);
    float[] plain = only(DataOptions.ALL);
    Normalization by = Normalization.parse("0.5,0.25,0/0.5,2,1");
    float[] found = only(DataOptions.ALL.withNormalization(by));
    for (int i = 0; i < 4; i++) {
      assertThat(found[i]).isCloseTo((plain[i] - 0.5f) / 0.5f, within(TOLERANCE));
      assertThat(found[4 + i]).isCloseTo((plain[4 + i] - 0.25f) / 2, within(TOLERANCE));
      assertThat(found[8 + i]).isEqualTo(plain[8 + i]);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "4, 4, 4",
    "6, 6, 3",
    "5, 9, 4",
    "9, 5, 4",
    "3, 4, 7",
    "7, 7, 1",
    "10, 4, 2x6",
    "1, 1, 3x2"
  })
  void resizesAndCrops(int height, int width, String size) {
    rgb("a/1.png", height, width);
    ImageSize target = ImageSize.parse(size);
    Rgb image = Rgb.read(folder.resolve("a/1.png"));
    float[] found = only(DataOptions.ALL.withSize(target));
    double[] expected = resized(image, target);
    assertThat(found).hasSize(expected.length);
    for (int i = 0; i < found.length; i++) {
      assertThat(found[i]).as("value " + i).isCloseTo((float) expected[i], within(TOLERANCE));
    }
  }

  /** Every result a weighted mean over the whole image: a tent around its place in it. */
  private static double[] resized(Rgb image, ImageSize target) {
    int h = image.size().height();
    int w = image.size().width();
    double factor = Math.max(target.height() / (double) h, target.width() / (double) w);
    int tall = (int) Math.max(target.height(), Math.round(h * factor));
    int wide = (int) Math.max(target.width(), Math.round(w * factor));
    double[] result = new double[3 * target.height() * target.width()];
    for (int i = 0; i < result.length; i++) {
      int c = i / (target.height() * target.width());
      int y = i / target.width() % target.height() + (tall - target.height()) / 2;
      int x = i % target.width() + (wide - target.width()) / 2;
      double sum = 0;
      double weights = 0;
      for (int v = 0; v < h; v++) {
        for (int u = 0; u < w; u++) {
          double weight = tent(v, y, h, tall) * tent(u, x, w, wide);
          sum += weight * image.planes()[(c * h + v) * w + u];
          weights += weight;
        }
      }
      result[i] = sum / weights;
    }
    return result;
  }

  private static double tent(int pixel, int place, int length, int scaled) {
    double step = length / (double) scaled;
    double distance = Math.abs(pixel + 0.5 - (place + 0.5) * step);
    return Math.max(0, 1 - distance / Math.max(1, step));
  }

  @Test
  void findsClassesByNameOrIndex() {
    rgb("dog/1.png", 2, 2);
    rgb("2/1.png", 2, 2);
    assertThat(labels(read(images(2, 2, "dog", "cat", "cow"), DataOptions.ALL)))
        .containsExactly(2, 0);
    refuses(images(2, 2, "wolf", "cat", "cow"), DataOptions.ALL, CorruptException.class, "dog");
    refuses(images(2, 2, "dog", "cat"), DataOptions.ALL, CorruptException.class, "'2'");
  }

  @Test
  void numbersClassesThatHaveNoNames() {
    rgb("dog/1.png", 2, 2);
    rgb("ant/1.png", 2, 2);
    rgb("cow/1.png", 2, 2);
    InputSpec.Images three =
        new InputSpec.Images(3, 2, 2, List.of("LABEL_0", "LABEL_1", "LABEL_2"));
    assertThat(labels(read(three, DataOptions.ALL))).containsExactly(0, 1, 2);
    refuses(images(2, 2, "LABEL_0", "LABEL_1"), DataOptions.ALL, CorruptException.class, "0 to 1");
  }

  @Test
  void refusesNumbersThatAreNotInOrder() {
    for (int i = 0; i <= 10; i++) {
      rgb(i + "/1.png", 1, 1);
    }
    refuses(OPEN, DataOptions.ALL, UsageException.class, "class folder 10", "00, 01");
    InputSpec named =
        new InputSpec.Images(3, 1, 1, IntStream.range(0, 11).mapToObj(i -> "LABEL_" + i).toList());
    assertThat(labels(read(named, DataOptions.ALL))).startsWith(0, 1, 10, 2).endsWith(9);
  }

  @Test
  void refusesImagesOfTheWrongSizeByName() {
    rgb("a/1.png", 2, 2);
    rgb("a/2.png", 2, 3);
    refuses(OPEN, DataOptions.ALL, MismatchException.class, "2.png", "2x2", "2x3", "--size 2x2");
    refuses(images(4, 4), DataOptions.ALL, MismatchException.class, "1.png", "4x4", "--size 4x4");
    refuses(
        images(4, 4),
        DataOptions.ALL.withSize(new ImageSize(2, 2)),
        UsageException.class,
        "--size 2x2",
        "4x4");
    assertThat(read(images(4, 4), DataOptions.ALL.withSize(new ImageSize(4, 4))).examples())
        .hasSize(2);
  }

  @ParameterizedTest
  @ValueSource(strings = {"readme.txt", "cat/list.csv", "cat/deeper/1.png", "Thumbs.db"})
  void refusesStrayFilesByName(String name) {
    rgb("cat/1.png", 2, 2);
    rgb("dog/1.png", 2, 2);
    TestCheckpoints.write(folder.resolve(name), "x");
    String stray = name.startsWith("cat/deeper") ? "deeper" : name;
    refuses(OPEN, DataOptions.ALL, UnsupportedException.class, stray, "take it out");
  }

  @Test
  void refusesFoldersWithoutImages() throws IOException {
    refuses(OPEN, DataOptions.ALL, UsageException.class, "no class folders");
    Files.createDirectories(folder.resolve("empty"));
    rgb("full/1.png", 2, 2);
    refuses(OPEN, DataOptions.ALL, CorruptException.class, "class without images", "empty");
  }

  @Test
  void refusesDamagedImagesByName() throws IOException {
    Path image = image("a/1.png", BufferedImage.TYPE_3BYTE_BGR, 9, 9, 1);
    byte[] bytes = Files.readAllBytes(image);
    Dataset data = read(OPEN, DataOptions.ALL);
    TestCheckpoints.write(image, Arrays.copyOf(bytes, bytes.length / 2));
    assertThatThrownBy(() -> data.batch(0, 1))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("1.png");
    for (int length = 0; length < 24; length++) { // within the header, which ends at 33
      TestCheckpoints.write(image, Arrays.copyOf(bytes, length));
      refuses(OPEN, DataOptions.ALL, CorruptException.class, "1.png");
    }
    TestCheckpoints.write(image, "no image");
    refuses(OPEN, DataOptions.ALL, CorruptException.class, "not an image", "1.png");
  }

  @Test
  void refusesImagesThatClaimToBeHuge() throws IOException {
    Path image = image("a/1.png", BufferedImage.TYPE_3BYTE_BGR, 1, 1, 1);
    byte[] bytes = Files.readAllBytes(image);
    bytes[18] = 0x7f; // width, bytes 16 to 19
    CRC32 crc = new CRC32();
    crc.update(bytes, 12, 17);
    ByteBuffer.wrap(bytes).putInt(29, (int) crc.getValue());
    TestCheckpoints.write(image, bytes);
    refuses(OPEN, DataOptions.ALL, LimitException.class, "1.png", "too large", "1x32513");
  }

  @Test
  void refusesWhatDoesNotGoTogether() {
    Path image = image("a/1.png", BufferedImage.TYPE_3BYTE_BGR, 1, 1, 1);
    refuses(
        new InputSpec.Tokens(Task.CLASSIFICATION, 8, 256, List.of("a", "b")),
        DataOptions.ALL,
        UsageException.class,
        "images for a network",
        "text");
    refuses(
        new InputSpec.Images(1, 1, 1, List.of()),
        DataOptions.ALL,
        UnsupportedException.class,
        "3 channels",
        "takes 1");
    refuses(OPEN, DataOptions.ALL.withSeqLen(8), UsageException.class, "--seq-len has no effect");
    refuses(OPEN, DataOptions.ALL.withMaskSeed(8), UsageException.class, "--mask-seed");
    assertThatThrownBy(() -> Dataset.read(image, new ByteTokenizer(), OPEN, DataOptions.ALL))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("1.png", "folder that holds");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0.5", "1,2,3", "1,2/1,2", "1,2,3/1,2,0", "1,2,3/1,2,x", "1,2,3/1/2"})
  void refusesMalformedNormalisation(String text) {
    assertThatThrownBy(() -> Normalization.parse(text))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--normalize");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-1", "2x", "x2", "2x3x4", "99999", "ax3"})
  void refusesMalformedSizes(String text) {
    assertThatThrownBy(() -> ImageSize.parse(text))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("size of an image");
  }

  private void refuses(
      InputSpec input, DataOptions options, Class<? extends Throwable> type, String... parts) {
    assertThatThrownBy(() -> read(input, options))
        .isInstanceOf(type)
        .hasMessageContainingAll(parts);
  }
}
