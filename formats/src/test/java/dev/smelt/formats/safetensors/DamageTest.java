package dev.smelt.formats.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file damaged on its way: cut, extended or with bits flipped. */
class DamageTest {

  private static final long SEED = 20_250_101;
  private static final int FLIPS = 20_000;
  private static final int MAX_BITS_PER_FLIP = 3;

  @TempDir Path temp;

  private final List<TestTensor> tensors =
      List.of(
          TestTensors.random("h.0.weight", DType.F32, 1, 3, 5),
          TestTensors.random("h.0.bias", DType.BF16, 2, 4),
          TestTensors.random("scale", DType.F64, 3),
          TestTensors.random("packed", DType.F4, 4, 2, 3),
          TestTensors.f32("none", Shape.of(0, 7)));

  private final byte[] file = TestCheckpoints.safetensors(tensors);

  @Test
  void everyTruncationIsRefused() {
    for (int length = 0; length < file.length; length++) {
      Path cut = write(Arrays.copyOf(file, length));
      assertThatThrownBy(() -> Checkpoint.open(cut).close())
          .as("cut to %d of %d bytes", length, file.length)
          .isInstanceOf(SmeltException.class)
          .hasMessageContaining(cut.toString());
    }
  }

  @Test
  void everyExtensionIsRefused() {
    for (int extra = 1; extra <= 64; extra++) {
      Path extended = write(Arrays.copyOf(file, file.length + extra));
      assertThatThrownBy(() -> Checkpoint.open(extended).close())
          .as("%d bytes more", extra)
          .isInstanceOf(SmeltException.class)
          .hasMessageContaining("expected")
          .hasMessageContaining(extended.toString());
    }
  }

  @Test
  void flippedBitsGiveARefusalOrAValidCheckpoint() {
    SplittableRandom random = new SplittableRandom(SEED);
    int header = file.length - tensors.stream().mapToInt(tensor -> tensor.bytes().length).sum();
    int refused = 0;
    for (int i = 0; i < FLIPS; i++) {
      byte[] damaged = file.clone();
      int bits = 1 + random.nextInt(MAX_BITS_PER_FLIP);
      for (int bit = 0; bit < bits; bit++) {
        int at = random.nextInt(header);
        damaged[at] ^= (byte) (1 << random.nextInt(Byte.SIZE));
      }
      refused += parsesOrRefuses(damaged, "seed " + SEED + ", damage " + i) ? 0 : 1;
    }
    // A flip inside a name leaves another valid name, so some must open and most must not.
    assertThat(refused).isBetween(FLIPS / 3, FLIPS - 1);
  }

  @Test
  void replacedBytesGiveARefusalOrAValidCheckpoint() {
    SplittableRandom random = new SplittableRandom(SEED);
    String alphabet = "{}[]\",:0123456789-+eE.\\ utfn\0";
    int refused = 0;
    for (int i = 0; i < FLIPS; i++) {
      byte[] damaged = file.clone();
      int at = Long.BYTES + random.nextInt(file.length - Long.BYTES);
      damaged[at] = (byte) alphabet.charAt(random.nextInt(alphabet.length()));
      refused += parsesOrRefuses(damaged, "seed " + SEED + ", replacement " + i) ? 0 : 1;
    }
    assertThat(refused).isBetween(FLIPS / 3, FLIPS - 1);
  }

  /** Parsed in memory: thousands of files would only test the disk. */
  private static boolean parsesOrRefuses(byte[] damaged, String which) {
    SafetensorsHeader header;
    try {
      header = HeaderParser.parse(MemorySegment.ofArray(damaged), "damaged");
    } catch (SmeltException refusal) {
      assertThat(refusal).as(which).hasMessageContaining("[damaged");
      return false;
    }
    long at = 0;
    for (SafetensorsHeader.Entry entry : header.entries()) {
      long bits = entry.info().shape().elements() * entry.info().dtype().bits();
      assertThat(entry.offset()).as(which).isEqualTo(at);
      assertThat((entry.end() - at) * Byte.SIZE).as(which).isEqualTo(bits);
      at = entry.end();
    }
    assertThat(header.dataStart() + at).as(which).isEqualTo(damaged.length);
    return true;
  }

  private Path write(byte[] content) {
    return TestCheckpoints.write(temp.resolve("damaged.safetensors"), content);
  }
}
