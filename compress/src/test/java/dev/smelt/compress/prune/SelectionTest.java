package dev.smelt.compress.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which weights go, against sorting all of them. */
class SelectionTest {

  @TempDir private Path folder;

  /** One weight of one of the tensors. */
  private record Place(int tensor, int index, double score) {}

  /** Few different values, so that most are ties, in some trials. */
  private static float[] values(SplittableRandom random, int count) {
    int kinds = random.nextInt(2) == 0 ? 5 : 1 << 20;
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (random.nextInt(kinds) - kinds / 2) / 64f;
    }
    return values;
  }

  private static TestTensor tensor(DType type, String name, Shape shape, float[] values) {
    return switch (type) {
      case F32 -> TestTensors.f32(name, shape, values);
      case F16 -> TestTensors.f16(name, shape, values);
      case BF16 -> TestTensors.bf16(name, shape, values);
      default -> throw new IllegalArgumentException(type.label());
    };
  }

  private List<List<Boolean>> expected(Checkpoint checkpoint, long count) {
    List<Place> places = new ArrayList<>();
    List<List<Boolean>> masks = new ArrayList<>();
    for (int tensor = 0; tensor < checkpoint.tensors().size(); tensor++) {
      double[] values = checkpoint.tensors().get(tensor).toDoubles();
      List<Boolean> mask = new ArrayList<>();
      for (int i = 0; i < values.length; i++) {
        places.add(new Place(tensor, i, Math.abs(values[i])));
        mask.add(false);
      }
      masks.add(mask);
    }
    places.sort(
        Comparator.comparingDouble(Place::score)
            .thenComparingInt(Place::tensor)
            .thenComparingInt(Place::index));
    for (Place place : places.subList(0, Math.toIntExact(count))) {
      masks.get(place.tensor()).set(place.index(), true);
    }
    return masks;
  }

  private static List<Boolean> bits(Mask mask) {
    List<Boolean> bits = new ArrayList<>();
    for (long i = 0; i < mask.elements(); i++) {
      bits.add(mask.removes(i));
    }
    return bits;
  }

  /** By score, and by the bits of magnitudes where these are halves. */
  private static List<List<Mask>> selections(
      List<Layer> layers, long count, int threads, Scratch scratch) {
    List<ScoreKeys> keys =
        layers.stream().map(layer -> new ScoreKeys(layer, new Magnitude().of(layer))).toList();
    List<List<Mask>> selections = new ArrayList<>();
    selections.add(new Smallest(keys, threads).mark(count, scratch));
    if (Halves.are(layers.getFirst().weight())) {
      List<Mask> masks = SmallestHalves.mark(layers, count, threads, scratch);
      selections.add(masks);
      selections.add(masks.stream().map(mask -> mask.stored(scratch)).toList());
    }
    return selections;
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  void exactlyTheSmallestOfAllTensorsGo(DType type) {
    SplittableRandom random = new SplittableRandom(type.bits());
    for (int trial = 0; trial < 60; trial++) {
      List<TestTensor> tensors = new ArrayList<>();
      int all = 0;
      for (int i = 0; i < 1 + random.nextInt(4); i++) {
        int rows = 1 + random.nextInt(20);
        int cols = 1 + random.nextInt(20);
        all += rows * cols;
        tensors.add(
            tensor(type, "t" + i + ".weight", Shape.of(rows, cols), values(random, rows * cols)));
      }
      int count = trial % 3 == 0 ? all : random.nextInt(all + 1);
      Path file = TestCheckpoints.file(folder.resolve(trial + ".safetensors"), tensors);
      try (Checkpoint checkpoint = Checkpoint.open(file);
          Scratch scratch = Storage.local().scratch(file)) {
        List<Layer> layers = Pruned.Setup.ALL.layers(checkpoint);
        List<List<Boolean>> expected = expected(checkpoint, count);
        for (int threads : new int[] {1, 3}) {
          for (List<Mask> found : selections(layers, count, threads, scratch)) {
            assertThat(found.stream().map(SelectionTest::bits)).isEqualTo(expected);
            assertThat(found.stream().mapToLong(Mask::zeros).sum()).isEqualTo(count);
          }
        }
      }
    }
  }

  @Test
  void tiesBeyondOnePieceGoByPlace() {
    // More weights than one job looks at, nearly all of one magnitude.
    int rows = (1 << 22) / 64 + 3;
    float[] values = new float[rows * 64];
    Arrays.fill(values, -1);
    values[values.length - 1] = 0.5f;
    values[7] = 2;
    Path file =
        TestCheckpoints.file(
            folder.resolve("large.safetensors"),
            List.of(TestTensors.bf16("t.weight", Shape.of(rows, 64), values)));
    int count = (1 << 22) + 70;
    try (Checkpoint checkpoint = Checkpoint.open(file);
        Scratch scratch = Storage.local().scratch(file)) {
      Layer layer = Pruned.Setup.ALL.layers(checkpoint).getFirst();
      List<List<Mask>> selections = selections(List.of(layer), count, 2, scratch);
      assertThat(selections).hasSize(3);
      for (List<Mask> masks : selections) {
        Mask mask = masks.getFirst();
        assertThat(mask.zeros()).isEqualTo(count);
        assertThat(mask.removes(values.length - 1)).isTrue();
        assertThat(mask.removes(7)).isFalse();
        // All of the first ones but index 7, beside the last.
        assertThat(mask.removes(count - 1)).isTrue();
        assertThat(mask.removes(count)).isFalse();
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F16", "BF16"})
  void halvesAreErasedAsTheirMaskSays(DType type) {
    SplittableRandom random = new SplittableRandom(type.bits() + 1);
    for (int trial = 0; trial < 60; trial++) {
      int size = 65 + random.nextInt(200);
      float[] drawn = values(random, size);
      Path file =
          TestCheckpoints.file(
              folder.resolve("halves" + trial + ".safetensors"),
              List.of(tensor(type, "t.weight", Shape.of(1, size), drawn)));
      try (Checkpoint checkpoint = Checkpoint.open(file);
          Scratch scratch = Storage.local().scratch(file)) {
        double[] values = checkpoint.tensor("t.weight").toDoubles();
        List<Layer> layers = Pruned.Setup.ALL.layers(checkpoint);
        int count = random.nextInt(size + 1);
        LeastHalves mask = (LeastHalves) SmallestHalves.mark(layers, count, 1, scratch).getFirst();
        HalfCensus census = new HalfCensus(mask.stored(scratch));
        for (int first : new int[] {0, 64}) {
          int length = first == 0 ? 64 : size - 64;
          long[] read = new long[Math.ceilDiv(length, Halves.IN_WORD)];
          Halves.read(checkpoint.tensor("t.weight"), first, length, read);
          long[] counted = read.clone();
          mask.clear(first, length, read);
          census.clear(first, length, counted);
          for (int i = 0; i < length; i++) {
            boolean zero = mask.removes(first + i) || values[first + i] == 0;
            assertThat(isZero(read, i)).isEqualTo(zero);
            assertThat(isZero(counted, i)).isEqualTo(zero);
          }
        }
        assertThat(mask.change()).isEqualTo(change(values, mask));
        assertThat(census.change(type)).isEqualTo(change(values, mask));
      }
    }
  }

  private static boolean isZero(long[] words, int at) {
    return (words[at / 4] >>> (at % 4 * 16) & 0x7fff) == 0;
  }

  /** Of values that are multiples of a power of 2, so that sums have no error. */
  private static Change change(double[] values, Mask mask) {
    double squares = 0;
    double changed = 0;
    long zeros = 0;
    for (int i = 0; i < values.length; i++) {
      squares += values[i] * values[i];
      changed += mask.removes(i) ? values[i] * values[i] : 0;
      zeros += mask.removes(i) || values[i] == 0 ? 1 : 0;
    }
    return new Change(squares, changed, zeros);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void exactlyTheSmallestOfEachRowGo(boolean transposed) {
    SplittableRandom random = new SplittableRandom(3);
    for (int trial = 0; trial < 40; trial++) {
      int out = 1 + random.nextInt(12);
      int in = 4 * (1 + random.nextInt(6));
      float[] values = values(random, out * in);
      Path model = model(transposed, out, in, values, "rows" + trial);
      try (Checkpoint checkpoint = Checkpoint.open(model);
          Scratch scratch = Storage.local().scratch(model)) {
        Layer layer = Pruned.Setup.ALL.layers(checkpoint).getFirst();
        Scores scores = new Magnitude().of(layer);
        long zeros = random.nextInt(out * in + 1);
        Mask ofRows = Rows.mark(layer, scores, new Quota.OfRows(zeros), scratch);
        assertThat(ofRows.zeros()).isEqualTo(zeros);
        Mask ofGroups =
            Rows.mark(layer, scores, new Quota.OfGroups(new Pattern.Groups(1, 4)), scratch);
        for (int j = 0; j < out; j++) {
          long share = zeros / out + (j < zeros % out ? 1 : 0);
          assertThat(removed(ofRows, layer, j))
              .isEqualTo(smallest(values, layer, j, 0, in, Math.toIntExact(share)));
          List<Integer> groups = new ArrayList<>();
          for (int k = 0; k < in; k += 4) {
            groups.addAll(smallest(values, layer, j, k, k + 4, 3));
          }
          assertThat(removed(ofGroups, layer, j)).isEqualTo(groups);
        }
      }
    }
  }

  private Path model(boolean transposed, int out, int in, float[] values, String name) {
    Shape shape = transposed ? Shape.of(in, out) : Shape.of(out, in);
    return TestCheckpoints.folder(
        folder.resolve(name),
        transposed ? "{\"model_type\": \"gpt2\"}" : "{\"model_type\": \"none\"}",
        List.of(TestTensors.f32(transposed ? "h.0.mlp.c_fc.weight" : "x.weight", shape, values)));
  }

  private static int index(Layer layer, int output, int input) {
    return layer.transposed()
        ? input * layer.storedOut() + output
        : output * layer.storedIn() + input;
  }

  private static List<Integer> removed(Mask mask, Layer layer, int output) {
    List<Integer> removed = new ArrayList<>();
    for (int k = 0; k < layer.storedIn(); k++) {
      if (mask.removes(index(layer, output, k))) {
        removed.add(k);
      }
    }
    return removed;
  }

  private static List<Integer> smallest(
      float[] values, Layer layer, int output, int from, int to, int count) {
    List<Integer> inputs = new ArrayList<>();
    for (int k = from; k < to; k++) {
      inputs.add(k);
    }
    inputs.sort(
        Comparator.comparingDouble((Integer k) -> Math.abs(values[index(layer, output, k)]))
            .thenComparingInt(k -> k));
    return inputs.subList(0, count).stream().sorted().toList();
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  void whatIsNoNumberIsRefusedByPlace(DType type) {
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
      float[] values = {1, 2, 3, 4, bad, 6};
      Path file =
          TestCheckpoints.file(
              folder.resolve("bad.safetensors"),
              List.of(tensor(type, "t.weight", Shape.of(2, 3), values)));
      for (Scope scope : Scope.values()) {
        assertThatThrownBy(
                () ->
                    Pruned.Setup.of(scope).magnitude(file, folder.resolve("out.safetensors"), 0.5))
            .isInstanceOf(NonFiniteException.class)
            .hasMessageContaining("t.weight")
            .hasMessageContaining("index 4");
      }
    }
  }
}
