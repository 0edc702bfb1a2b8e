package dev.smelt.gpu.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorFileTest {

  private static final InputSpec OPEN = new InputSpec.Open();
  private static final InputSpec LANGUAGE = tokens(Task.LANGUAGE_MODELING);
  private static final InputSpec CLASSES = tokens(Task.CLASSIFICATION, "no", "yes");
  private static final InputSpec IMAGES = new InputSpec.Images(1, 1, 2, List.of("no", "yes"));

  private static final TestTensor INPUTS =
      TestTensors.f32("inputs", Shape.of(3, 1, 1, 2), 1, 2, 3, 4, 5, 6);
  private static final TestTensor LABELS = TestTensors.i64("labels", Shape.of(3), 1, 0, 1);
  private static final TestTensor IDS =
      TestTensors.i64("input_ids", Shape.of(3, 4), 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6);

  @TempDir private Path folder;

  private static InputSpec tokens(Task task, String... labels) {
    return new InputSpec.Tokens(task, 4, 10, List.of(labels));
  }

  private Dataset read(InputSpec input, DataOptions options, TestTensor... tensors) {
    Path file = TestCheckpoints.file(folder.resolve("data.safetensors"), List.of(tensors));
    return Dataset.read(file, new ByteTokenizer(), input, options);
  }

  @Test
  void readsTensorsOfAClass() {
    for (InputSpec input : List.of(OPEN, IMAGES)) {
      Dataset data = read(input, DataOptions.ALL, INPUTS, LABELS);
      assertThat(data.task()).isEqualTo(Task.CLASSIFICATION);
      assertThat(data.sha256()).hasSize(64);
      TensorBatch batch = data.batch(1, 2).values();
      assertThat(batch.shape()).isEqualTo(Shape.of(1, 1, 2));
      assertThat(batch.elements()).containsExactly(3, 4, 5, 6);
      assertThat(batch.targets()).containsExactly(0, 1);
      assertThat(batch.first()).isEqualTo(1);
    }
  }

  @Test
  void takesTheOnlyTensorOfFloatsForInputs() {
    TestTensor other = TestTensors.bf16("pixels", Shape.of(2, 2), 1, 2, -3, 4);
    TestTensor labels = TestTensors.i64("labels", Shape.of(2), 7, 0);
    Dataset data = read(OPEN, DataOptions.ALL, other, labels);
    assertThat(data.batch(0, 2).values().elements()).containsExactly(1, 2, -3, 4);
    assertThat(data.batch(0, 2).targets()).containsExactly(7, 0);
    refuses(OPEN, NotFoundException.class, List.of(LABELS), "no inputs", "'inputs'");
    TestTensor second = TestTensors.f32("more", Shape.of(2, 2), 1, 2, 3, 4);
    refuses(OPEN, NotFoundException.class, List.of(other, second, labels), "no inputs");
    refuses(OPEN, UnsupportedException.class, List.of(INPUTS, second, LABELS), "more");
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"I8", "U8", "I16", "U16", "I32", "U32", "I64"})
  void readsLabelsOfEveryIntegerType(DType type) {
    int width = type.bits() / 8;
    byte[] bytes = new byte[3 * width];
    bytes[0] = 3;
    bytes[2 * width] = 120;
    TestTensor labels = new TestTensor("labels", type, Shape.of(3), bytes);
    assertThat(read(OPEN, DataOptions.ALL, INPUTS, labels).batch(0, 3).targets())
        .containsExactly(3, 0, 120);
  }

  @Test
  void readsLabelledSequences() {
    for (InputSpec input : List.of(OPEN, CLASSES)) {
      Dataset data = read(input, DataOptions.ALL, IDS, LABELS);
      assertThat(data.task()).isEqualTo(Task.CLASSIFICATION);
      TokenBatch batch = data.batch(0, 2).tokens();
      assertThat(batch.ids()).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
      assertThat(batch.targets()).containsExactly(1, 0);
      assertThat(batch.segments()).containsOnly(0);
    }
  }

  @Test
  void readsWindowsWhereThereAreNoLabels() {
    for (InputSpec input : List.of(OPEN, LANGUAGE)) {
      Dataset data = read(input, DataOptions.ALL, IDS);
      assertThat(data.task()).isEqualTo(Task.LANGUAGE_MODELING);
      TokenBatch batch = data.batch(0, 1).tokens();
      assertThat(batch.ids()).containsExactly(1, 2, 3);
      assertThat(batch.targets()).containsExactly(2, 3, 4);
      Dataset cut = read(input, DataOptions.ALL.withSeqLen(2), IDS);
      assertThat(cut.batch(0, 1).tokens().ids()).containsExactly(1, 2);
      assertThat(cut.truncated()).isEqualTo(3);
    }
  }

  @Test
  void refusesTensorsOfTheWrongShapeOrType() {
    TestTensor two = TestTensors.i64("labels", Shape.of(2), 1, 0);
    refuses(OPEN, MismatchException.class, List.of(INPUTS, two), "labels", "integers [3]", "[2]");
    TestTensor floats = TestTensors.f32("labels", Shape.of(3), 1, 0, 1);
    refuses(OPEN, MismatchException.class, List.of(INPUTS, floats), "labels", "F32");
    TestTensor flat = TestTensors.f32("inputs", Shape.of(3), 1, 2, 3);
    refuses(OPEN, MismatchException.class, List.of(flat, LABELS), "inputs", "[N, …]");
    TestTensor ints = TestTensors.i64("inputs", Shape.of(3, 1), 1, 2, 3);
    refuses(OPEN, MismatchException.class, List.of(ints, LABELS), "inputs", "I64");
    InputSpec others = new InputSpec.Images(3, 1, 2, List.of("no", "yes"));
    refuses(others, MismatchException.class, List.of(INPUTS, LABELS), "[N,3,1,2]", "[3,1,1,2]");
    TestTensor vector = TestTensors.i64("input_ids", Shape.of(3), 1, 2, 3);
    refuses(OPEN, MismatchException.class, List.of(vector, LABELS), "integers [N, T]");
    refuses(OPEN, NotFoundException.class, List.of(INPUTS), "no labels");
  }

  @Test
  void refusesValuesThatCannotBe() {
    TestTensor labels = TestTensors.i64("labels", Shape.of(3), 1, 2, 0);
    refuses(IMAGES, CorruptException.class, List.of(INPUTS, labels), "labels[1]", "found 2");
    refuses(CLASSES, CorruptException.class, List.of(IDS, labels), "labels[1]", "[no, yes]");
    TestTensor negative = TestTensors.i64("labels", Shape.of(3), 1, 2, -1);
    refuses(OPEN, CorruptException.class, List.of(INPUTS, negative), "labels[2]", "-1");
    TestTensor large = TestTensors.i64("input_ids", Shape.of(1, 2), 1, 10);
    refuses(LANGUAGE, MismatchException.class, List.of(large), "input_ids[0]", "found id 10");
    TestTensor huge = TestTensors.i64("input_ids", Shape.of(1, 2), 1, 1L << 40);
    refuses(OPEN, MismatchException.class, List.of(huge), "input_ids[0]", "1099511627776");
    TestTensor one = TestTensors.i64("input_ids", Shape.of(2, 1), 1, 1);
    refuses(LANGUAGE, CorruptException.class, List.of(one), "at least 2");
    TestTensor none = TestTensors.i64("input_ids", Shape.of(0, 4));
    refuses(LANGUAGE, UsageException.class, List.of(none), "no examples");
    TestTensor nan = TestTensors.f32("inputs", Shape.of(3, 1), 1, Float.NaN, 3);
    Dataset data = read(OPEN, DataOptions.ALL, nan, LABELS);
    assertThatThrownBy(() -> data.batch(0, 3))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining("inputs[1]");
  }

  @Test
  void refusesWhatDoesNotGoTogether() {
    refuses(LANGUAGE, UsageException.class, List.of(INPUTS, LABELS), "input_ids");
    refuses(IMAGES, UsageException.class, List.of(IDS, LABELS), "inputs");
    refuses(LANGUAGE, UsageException.class, List.of(IDS, LABELS), "leave out labels");
    refuses(CLASSES, UsageException.class, List.of(IDS), "add labels");
    refuses(
        tokens(Task.MASKED_LANGUAGE_MODELING), UnsupportedException.class, List.of(IDS), ".jsonl");
    assertThatThrownBy(() -> read(CLASSES, DataOptions.ALL.withSeqLen(3), IDS, LABELS))
        .isInstanceOf(LimitException.class)
        .hasMessageContainingAll("has 4 input_ids", "1 to 3");
    assertThatThrownBy(() -> read(LANGUAGE, DataOptions.ALL.withSeqLen(5), IDS))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("--seq-len 5", "4 positions");
    assertThatThrownBy(() -> read(OPEN, DataOptions.ALL.withSeqLen(3), INPUTS, LABELS))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--seq-len has no effect");
    assertThatThrownBy(
            () -> read(OPEN, DataOptions.ALL.withSize(new ImageSize(1, 1)), INPUTS, LABELS))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--size has no effect");
  }

  private void refuses(
      InputSpec input, Class<? extends Throwable> type, List<TestTensor> tensors, String... parts) {
    assertThatThrownBy(() -> read(input, DataOptions.ALL, tensors.toArray(new TestTensor[0])))
        .isInstanceOf(type)
        .hasMessageContainingAll(parts);
  }
}
