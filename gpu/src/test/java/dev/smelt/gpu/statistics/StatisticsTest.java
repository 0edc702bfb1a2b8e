package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StatisticsTest {

  private static final Provenance PROVENANCE =
      new Provenance(
          Optional.of(Statistics.FISHER),
          Optional.of(Labels.SAMPLED),
          OptionalLong.of(16),
          OptionalLong.of(2048),
          OptionalInt.of(128),
          OptionalLong.of(-3),
          Optional.of("ab12"),
          Optional.of("cd34"),
          OptionalLong.of(8),
          Optional.of("CPU, 2 threads"),
          Optional.of(
              new Precision(
                  new TreeMap<>(Map.of("h.0.weight", 0.25, "h.0.bias", 1e-3)),
                  OptionalDouble.of(0.125))),
          Optional.of("0.1.0"));

  @TempDir private Path folder;

  private static Statistics.Source source() {
    TensorInfo weight = new TensorInfo("diag/h.0.weight", DType.F32, Shape.of(2, 3));
    TensorInfo bias = new TensorInfo("diag/h.0.bias", DType.F32, Shape.of(1));
    TensorInfo rows = new TensorInfo("rows/h.0", DType.F32, Shape.of(2));
    return new Statistics.Source() {
      @Override
      public List<TensorInfo> tensors() {
        return List.of(weight, rows, bias);
      }

      @Override
      public void read(Statistics.Sink sink) {
        sink.accept(weight, 0, new float[] {1, 2, 3, 4});
        sink.accept(weight, 4, new float[] {5, 6});
        sink.accept(rows, 0, new float[] {6, 15});
        sink.accept(bias, 0, new float[] {1e-30f});
      }
    };
  }

  private Path write() {
    Path file = folder.resolve("f.safetensors");
    Statistics.write(OutputOptions.to(file), source(), PROVENANCE);
    return file;
  }

  @Test
  void readsBackWhatItWrites() {
    try (Statistics statistics = Statistics.open(write())) {
      assertThat(statistics.provenance()).isEqualTo(PROVENANCE);
      assertThat(statistics.parameters()).containsExactlyInAnyOrder("h.0.weight", "h.0.bias");
      assertThat(statistics.diagonal("h.0.weight").orElseThrow().shape()).isEqualTo(Shape.of(2, 3));
      assertThat(statistics.diagonal("h.0.weight").orElseThrow().toFloats())
          .containsExactly(1, 2, 3, 4, 5, 6);
      assertThat(statistics.diagonal("h.0.bias").orElseThrow().dtype()).isEqualTo(DType.F32);
      assertThat(statistics.diagonal("h.0.bias").orElseThrow().toFloats()).containsExactly(1e-30f);
      assertThat(statistics.diagonal("h.1.bias")).isEmpty();
      assertThat(statistics.find(Statistic.ROWS, "h.0.weight").orElseThrow().toFloats())
          .containsExactly(6, 15);
      assertThat(statistics.find(Statistic.COLS, "h.0.weight")).isEmpty();
    }
  }

  @Test
  void writesTheSameBytesEveryTime() throws IOException {
    byte[] first = Files.readAllBytes(write());
    Files.delete(folder.resolve("f.safetensors"));
    assertThat(Files.readAllBytes(write())).isEqualTo(first);
  }

  @Test
  void doesNotReplaceAFileUnasked() {
    write();
    assertThatThrownBy(this::write).isInstanceOf(UsageException.class);
  }

  @Test
  void knowsItsModel() {
    try (Statistics statistics = Statistics.open(write())) {
      statistics.requireModel("ab12");
      assertThatThrownBy(() -> statistics.requireModel("ffff"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("another model", "expected model_sha256 ffff", "ab12")
          .hasMessageContaining("--any-model");
    }
  }

  @Test
  void saysWhenItDoesNotKnowItsModel() {
    Path file = stored(Map.of("labels", "expected"));
    try (Statistics statistics = Statistics.open(file)) {
      assertThat(statistics.provenance().labels()).contains(Labels.EXPECTED);
      assertThat(statistics.provenance().examples()).isEmpty();
      assertThatThrownBy(() -> statistics.requireModel("ab12"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("do not say of which model", "--any-model");
    }
  }

  private Path stored(Map<String, String> metadata) {
    TestTensor tensor = TestTensors.f32("diag/x", Shape.of(1), 1);
    return bytes(TestCheckpoints.safetensors(List.of(tensor), metadata));
  }

  private Path bytes(byte[] content) {
    try {
      return Files.write(folder.resolve("other.safetensors"), content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @CsvSource({"labels,guessed", "examples,many", "examples,0", "tokens,-1", "seed,1.5", "batch,x"})
  void refusesMetadataThatMakeNoSense(String key, String value) {
    Path file = stored(Map.of(key, value));
    assertThatThrownBy(() -> Statistics.open(file))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("other.safetensors", "'" + key + "'", "'" + value + "'");
  }

  @Test
  void refusesFilesThatHoldSomethingElse() {
    Path weights =
        bytes(TestCheckpoints.safetensors(List.of(TestTensors.f32("x", Shape.of(1), 1))));
    assertThatThrownBy(() -> Statistics.open(weights))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("not a statistics file", "smelt fisher");
    Path integers =
        bytes(TestCheckpoints.safetensors(List.of(TestTensors.i64("diag/x", Shape.of(1), 1))));
    assertThatThrownBy(() -> Statistics.open(integers))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("diag/x", "I64");
  }
}
