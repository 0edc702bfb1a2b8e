package dev.smelt.formats.packed;

import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PackedDamageTest {

  private static final TestTensor DENSE =
      TestTensors.f32("w", Shape.of(2, 5), 0, 1, 0, 0, 2, -0f, 0, Float.NaN, 0, 3);
  private static final TestTensor OTHER = TestTensors.f32("v", Shape.of(1), 4);

  @TempDir Path temp;

  private final List<TestTensor> parts = new ArrayList<>(PlainPacking.parts(DENSE));

  @Test
  void whole() {
    try (Checkpoint checkpoint = open()) {
      assertHolds(checkpoint, List.of(DENSE, OTHER));
    }
  }

  @Test
  void storedZerosAreReadToo() {
    BitSet all = new BitSet();
    all.set(0, 10);
    parts.clear();
    parts.addAll(PlainPacking.parts(DENSE, all));
    try (Checkpoint checkpoint = open()) {
      assertHolds(checkpoint, List.of(DENSE, OTHER));
      assertThat(checkpoint.isPacked()).isTrue();
    }
  }

  @Test
  void tensorsWithoutElementsAndAxes() {
    TestTensor none = TestTensors.f32("w", Shape.of(3, 0));
    TestTensor scalar = TestTensors.f32("x", Shape.of(), 0);
    parts.clear();
    parts.addAll(PlainPacking.parts(none));
    parts.addAll(PlainPacking.parts(scalar));
    try (Checkpoint checkpoint = open()) {
      assertHolds(checkpoint, List.of(none, scalar, OTHER));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void missingPart(int part) {
    TestTensor gone = parts.remove(part);
    refused("part of a packed tensor", gone.name());
  }

  @Test
  void plainTensorBesideThePackedOne() {
    parts.add(DENSE);
    refused("packed and plain", "expected no tensor w");
  }

  @Test
  void packedPart() {
    List<TestTensor> twice = PlainPacking.parts(parts.get(1));
    parts.remove(1);
    parts.addAll(twice);
    refused("smelt_values");
  }

  @Test
  void packedPartOnItsOwn() {
    parts.clear();
    parts.addAll(PlainPacking.parts(TestTensors.f32("w.smelt_bits", Shape.of(2), 0, 1)));
    refused("w.smelt_bits", "a packed tensor is packed");
  }

  @Test
  void bitsOfAnotherLength() {
    parts.set(0, new TestTensor("w.smelt_bits", DType.U8, Shape.of(3), new byte[3]));
    refused("w.smelt_bits", "expected 2 bytes", "found 3");
  }

  @Test
  void bitsOfAnotherType() {
    parts.set(0, new TestTensor("w.smelt_bits", DType.I8, Shape.of(2), new byte[2]));
    refused("w.smelt_bits", "expected U8");
  }

  @Test
  void bitsOfTwoAxes() {
    parts.set(0, new TestTensor("w.smelt_bits", DType.U8, Shape.of(2, 1), new byte[2]));
    refused("w.smelt_bits", "one axis");
  }

  @Test
  void moreValuesThanElements() {
    parts.set(1, new TestTensor("w.smelt_values", DType.F32, Shape.of(11), new byte[44]));
    refused("w.smelt_values", "at most 10", "[11]");
  }

  @Test
  void valuesOfTwoAxes() {
    parts.set(1, new TestTensor("w.smelt_values", DType.F32, Shape.of(5, 1), new byte[20]));
    refused("w.smelt_values", "one axis", "[5,1]");
  }

  @Test
  void shapeOfAnotherType() {
    parts.set(2, new TestTensor("w.smelt_shape", DType.I32, Shape.of(2), new byte[8]));
    refused("w.smelt_shape", "expected I64");
  }

  @Test
  void negativeSize() {
    parts.set(2, TestTensors.i64("w.smelt_shape", Shape.of(2), -2, -5));
    refused("w.smelt_shape", "impossible shape");
  }

  @Test
  void sizesThatOverflow() {
    parts.set(2, TestTensors.i64("w.smelt_shape", Shape.of(2), Long.MAX_VALUE, 3));
    refused("w.smelt_shape", "impossible shape");
  }

  @Test
  void bytesThatOverflow() {
    parts.set(2, TestTensors.i64("w.smelt_shape", Shape.of(1), Long.MAX_VALUE));
    refused("w.smelt_shape", "impossible shape");
  }

  @Test
  void tooManyAxes() {
    long[] sizes = new long[65];
    Arrays.fill(sizes, 1);
    parts.set(2, TestTensors.i64("w.smelt_shape", Shape.of(65), sizes));
    refused("w.smelt_shape", "65 axes");
  }

  @Test
  void aShapeOfAsManyElementsIsTakenAtItsWord() {
    parts.set(2, TestTensors.i64("w.smelt_shape", Shape.of(2), 5, 2));
    try (Checkpoint checkpoint = open()) {
      assertThat(checkpoint.tensor("w").shape()).isEqualTo(Shape.of(5, 2));
    }
  }

  static Stream<DType> typesOfWholeBytes() {
    return Stream.of(DType.values()).filter(dtype -> dtype.bits() >= 8);
  }

  /** Of narrower types one value more may be what fills the last byte. */
  @ParameterizedTest
  @MethodSource("typesOfWholeBytes")
  void everyFlippedBitIsFound(DType dtype) {
    TestTensor dense = PlainPacking.sparse("w", dtype, 0.5, new SplittableRandom(5), 20);
    List<TestTensor> sound = PlainPacking.parts(dense);
    for (int bit = 0; bit < 24; bit++) {
      parts.clear();
      parts.addAll(sound);
      byte[] bits = sound.getFirst().bytes();
      bits[bit / 8] ^= (byte) (1 << bit % 8);
      parts.set(0, new TestTensor("w.smelt_bits", DType.U8, Shape.of(3), bits));
      try (Checkpoint checkpoint = open()) {
        TensorView view = checkpoint.tensor("w");
        // Headers are sound, so nothing is known before a value is asked for.
        assertThatThrownBy(view::segment)
            .isInstanceOf(CorruptException.class)
            .hasMessageContaining("|w]");
      }
    }
  }

  @Test
  void bitsBeyondTheLastValue() {
    // Three values of 4 bits, then 4 bits that must be 0.
    parts.clear();
    parts.add(new TestTensor("w.smelt_bits", DType.U8, Shape.of(1), new byte[] {0b0111}));
    parts.add(new TestTensor("w.smelt_values", DType.F4, Shape.of(4), new byte[] {0x21, 0x13}));
    parts.add(TestTensors.i64("w.smelt_shape", Shape.of(1), 8));
    try (Checkpoint checkpoint = open()) {
      assertThatThrownBy(() -> checkpoint.tensor("w").segment())
          .isInstanceOf(CorruptException.class)
          .hasMessageContainingAll("beyond the last value", "|w]");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2", "", "1.0"})
  void otherVersions(String version) {
    byte[] file = TestCheckpoints.safetensors(all(), Map.of("smelt_packed", version));
    Path path = TestCheckpoints.write(temp.resolve("v.safetensors"), file);
    assertThatThrownBy(() -> Checkpoint.open(path))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("version 1", path.toString());
    Path folder =
        TestCheckpoints.folder(
            temp.resolve("m" + version), "{\"smelt_packed\": {\"version\": \"1\"}}", all());
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("version 1", "config.json");
  }

  private List<TestTensor> all() {
    List<TestTensor> all = new ArrayList<>(parts);
    all.add(OTHER);
    return all;
  }

  private Checkpoint open() {
    return Checkpoint.open(TestCheckpoints.file(temp.resolve("a.safetensors"), all()));
  }

  private void refused(String... words) {
    assertThatThrownBy(this::open)
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("a.safetensors|w")
        .hasMessageContainingAll(words);
  }
}
