package dev.smelt.formats;

import static dev.smelt.formats.testing.CheckpointAssertions.assertEntries;
import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Filling the tensors of an output. */
class SlotTest {

  private static final long SEED = 5;

  /** Not a multiple of the part size, and of several parts. */
  private static final int ELEMENTS = 150_000;

  @TempDir Path temp;

  private Path file = Path.of("");

  @BeforeEach
  void setFile() {
    file = temp.resolve("x/out.safetensors");
  }

  @Test
  void anyOrderOfThreadsGivesTheSameBytes() throws Exception {
    List<TestTensor> tensors = new ArrayList<>(TestTensors.everyType(9, 64, 32));
    byte[] inOrder = write(tensors, 1);
    Collections.shuffle(tensors, new Random(SEED));
    List<TestTensor> planned = TestTensors.everyType(9, 64, 32);
    for (int threads : new int[] {1, 2, 7}) {
      assertThat(write(planned, tensors, threads)).as("%d threads", threads).isEqualTo(inOrder);
    }
  }

  @Test
  void partsInAnyOrderGiveTheWhole() {
    double[] values = new SplittableRandom(SEED).doubles(ELEMENTS, -1, 1).toArray();
    float[] narrow = new float[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++) {
      narrow[i] = (float) values[i];
    }
    TestTensor expected = TestTensors.f32("t", Shape.of(ELEMENTS), narrow);
    TensorInfo again = new TensorInfo("again", DType.F32, Shape.of(ELEMENTS));
    try (CheckpointWriter writer = writer(expected.info(), again)) {
      TensorSlot slot = writer.slot("t");
      for (int part : new int[] {3, 0, 2, 1}) {
        int first = part * 40_000;
        int count = Math.min(40_000, ELEMENTS - first);
        double[] some = Arrays.copyOfRange(values, first, first + count);
        assertThat(slot.isComplete()).isFalse();
        slot.write(first, some, count);
      }
      assertThat(slot.isComplete()).isTrue();
      writer.slot("again").write(0, narrow, ELEMENTS);
      writer.commitWithoutManifest();
    }
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, List.of(expected, expected.renamed("again")));
    }
  }

  @Test
  void writingAPartTwiceDoesNotStandForAnother() {
    try (CheckpointWriter writer = writer(new TensorInfo("t", DType.F32, Shape.of(4)))) {
      writer.slot("t").write(0, new float[] {1, 2}, 2);
      writer.slot("t").write(0, new float[] {3, 4}, 2);
      assertThat(writer.slot("t").isComplete()).isFalse();
      writer.slot("t").write(1, new float[] {5, 6, 7}, 3);
      assertThat(writer.slot("t").isComplete()).isTrue();
      writer.commitWithoutManifest();
    }
    TestTensor expected = TestTensors.f32("t", Shape.of(4), 3, 5, 6, 7);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, List.of(expected));
    }
  }

  @Test
  void anIncompleteTensorIsNeverCommitted() {
    TensorInfo info = new TensorInfo("half", DType.F32, Shape.of(4));
    try (CheckpointWriter writer = writer(info)) {
      writer.slot("half").write(0, new float[2], 2);
      assertThatThrownBy(() -> writer.commit(WriterFixture.manifest()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("half");
      assertThatThrownBy(writer::commitWithoutManifest).isInstanceOf(IllegalStateException.class);
    }
    assertEntries(temp);
  }

  @Test
  void writingOutsideATensorIsRefused() {
    TensorInfo info = new TensorInfo("t", DType.F32, Shape.of(4));
    try (CheckpointWriter writer = writer(info)) {
      TensorSlot slot = writer.slot("t");
      assertThatThrownBy(() -> slot.write(3, new float[2], 2))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> slot.write(-1, new double[2], 2))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> writer.slot("other")).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void valuesOutOfRangeNameTensorAndIndex() {
    TensorInfo info = new TensorInfo("w", DType.F16, Shape.of(ELEMENTS));
    double[] values = new double[ELEMENTS];
    values[ELEMENTS - 2] = -70_000;
    try (CheckpointWriter writer = writer(info)) {
      assertThatThrownBy(() -> writer.slot("w").write(0, values, ELEMENTS))
          .isExactlyInstanceOf(LimitException.class)
          .hasMessageContainingAll("[w]", "-70000.0", "index 149998", "F16");
    }
    TensorInfo tiny = new TensorInfo("s", DType.F4, Shape.of(4));
    try (CheckpointWriter writer = writer(tiny)) {
      float[] nan = {1, Float.NaN};
      assertThatThrownBy(() -> writer.slot("s").write(2, nan, 2))
          .isExactlyInstanceOf(NonFiniteException.class)
          .hasMessageContainingAll("[s]", "NaN", "index 3", "F4");
    }
    assertEntries(temp);
  }

  @Test
  void copiesOnlyLikeToLikeAndNumbersOnlyIntoFloats() {
    TestTensor source = TestTensors.random("t", DType.F32, 1, 4);
    TensorInfo wider = new TensorInfo("wider", DType.F64, Shape.of(4));
    TensorInfo longer = new TensorInfo("longer", DType.F32, Shape.of(5));
    TensorInfo whole = new TensorInfo("whole", DType.I32, Shape.of(4));
    try (CheckpointWriter writer = writer(wider, longer, whole)) {
      assertThatThrownBy(() -> WriterFixture.fill(writer.slot("wider"), source))
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("[wider]", "expected F64", "found F32");
      assertThatThrownBy(() -> WriterFixture.fill(writer.slot("longer"), source))
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("[longer]", "expected shape [5]", "found [4]");
      assertThatThrownBy(() -> writer.slot("whole").write(0, new double[4], 4))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContainingAll("[whole]", "I32");
    }
  }

  @Test
  void contentThatNoFileCanHoldIsRefusedAtOnce() {
    TensorInfo info = new TensorInfo("t", DType.F32, Shape.of(4));
    TensorInfo odd = new TensorInfo("odd", DType.F4, Shape.of(3));
    assertThatThrownBy(() -> writer(info, info))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("[t]");
    assertThatThrownBy(() -> writer(odd))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("[odd]", "F4", "[3]");
    assertEntries(temp);
  }

  @Test
  void moreThanTheDiskHoldsIsRefusedAtOnce() {
    TensorInfo huge = new TensorInfo("t", DType.F32, Shape.of(1L << 50));
    assertThatThrownBy(() -> writer(huge))
        .isInstanceOf(StorageException.class)
        .hasMessageContainingAll("not enough space", file.toString(), "needs", "free");
    assertEntries(temp);
  }

  @Test
  void anUnwritableTargetIsRefused() {
    Path regular = TestCheckpoints.write(temp.resolve("file"), "1");
    file = regular.resolve("x/out.safetensors");
    assertThatThrownBy(() -> writer(new TensorInfo("t", DType.F32, Shape.of(4))))
        .isInstanceOf(StorageException.class)
        .hasMessageContainingAll("cannot write", file.toString());
    assertEntries(temp, "file");
  }

  private CheckpointWriter writer(TensorInfo... tensors) {
    return CheckpointWriter.create(
        OutputOptions.to(file),
        new CheckpointWriter.Content(List.of(tensors), Map.of(), Optional.empty(), List.of()));
  }

  private byte[] write(List<TestTensor> tensors, int threads) throws Exception {
    return write(tensors, tensors, threads);
  }

  private byte[] write(List<TestTensor> planned, List<TestTensor> filled, int threads)
      throws Exception {
    Path out = temp.resolve("threads-" + threads + "-" + filled.getFirst().name());
    OutputOptions options = new OutputOptions(out, true, Long.MAX_VALUE);
    try (ExecutorService pool = Executors.newFixedThreadPool(threads);
        CheckpointWriter writer =
            CheckpointWriter.create(options, WriterFixture.content(planned))) {
      List<Future<?>> jobs = new ArrayList<>();
      for (TestTensor tensor : filled) {
        jobs.add(pool.submit(() -> WriterFixture.fill(writer.slot(tensor.name()), tensor)));
      }
      for (Future<?> job : jobs) {
        job.get();
      }
      writer.commit(WriterFixture.manifest());
    }
    return allBytes(out);
  }

  private static byte[] allBytes(Path folder) throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (String name : List.of("model.safetensors", "config.json", "smelt.json")) {
      all.writeBytes(Files.readAllBytes(folder.resolve(name)));
    }
    return all.toByteArray();
  }
}
