package dev.smelt.formats.model;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank.Entry;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Modules that are a stored matrix and a change of it. */
class ChangedModulesTest {

  /** c, alone, and t, stored transposed, are changes; p shares t's basis and is none. */
  private static final String LIST =
      """
      {"low_rank_modules": {
         "c": {"rank": 1, "delta": true},
         "p": {"rank": 2, "A": "smelt.basis.4"},
         "t": {"rank": 2, "A": "smelt.basis.4", "delta": true, "transposed": true}}}
      """;

  private static final List<TestTensor> TENSORS =
      List.of(
          f32("smelt.basis.4", Shape.of(3, 2), 1, 2, 3, 4, 5, 6),
          bf16("c.weight", Shape.of(2, 1, 1, 3), 1, 2, 3, 4, 5, 6),
          bf16("c.bias", Shape.of(2), 1, 2),
          f32("c.ALinear.weight", Shape.of(2, 1, 1, 1), 1, 2),
          f32("c.BLinear.weight", Shape.of(1, 1, 1, 3), 1, 2, 3),
          f32("p.BLinear.weight", Shape.of(2, 2), 1, 2, 3, 4),
          bf16("t.weight", Shape.of(4, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
          f32("t.BLinear.weight", Shape.of(2, 4), 1, 2, 3, 4, 5, 6, 7, 8));

  @TempDir Path temp;

  private <T> T read(String config, List<TestTensor> tensors, Function<Checkpoint, T> reader) {
    Path folder = TestCheckpoints.folder(temp.resolve("m"), config, tensors);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      return reader.apply(checkpoint);
    }
  }

  private static LowRank listed() {
    Sharing shared = new Sharing.OfA(new Basis(4));
    SequencedMap<String, Entry> modules = new LinkedHashMap<>();
    modules.put("c", new Module(1, false, new Sharing.None(), true));
    modules.put("p", new Module(2, false, shared));
    modules.put("t", new Module(2, true, shared, true));
    return new LowRank(modules);
  }

  private static List<TestTensor> with(TestTensor... others) {
    Map<String, TestTensor> tensors = new LinkedHashMap<>();
    TENSORS.forEach(tensor -> tensors.put(tensor.name(), tensor));
    List.of(others).forEach(tensor -> tensors.put(tensor.name(), tensor));
    return new ArrayList<>(tensors.values());
  }

  @Test
  void namesOfTensors() {
    Module alone = new Module(1, false, new Sharing.None(), true);
    assertThat(alone.nameOfA("c")).isEqualTo("c.ALinear.weight");
    assertThat(alone.nameOfB("c")).isEqualTo("c.BLinear.weight");
    assertThat(alone.nameOfBias("c")).isEqualTo("c.bias");
    assertThat(new Module(1, false).nameOfBias("c")).isEqualTo("c.ALinear.bias");
    assertThat(LowRank.denseWeight("c")).isEqualTo("c.weight");
  }

  @Test
  void theListIsUnderstood() {
    LowRank found = read(LIST, TENSORS, LowRank::of);
    assertThat(found).isEqualTo(listed());
    assertThat(found.bases()).containsExactly(Map.entry(new Basis(4), List.of("p", "t")));
    String explicit = LIST.replace("\"p\": {", "\"p\": {\"delta\": false, ");
    assertThat(read(explicit, TENSORS, LowRank::of)).isEqualTo(listed());
  }

  @Test
  void theListIsWrittenAsItIsRead() {
    ModelConfig described = listed().describe(ModelConfig.parse("{}"), "plain");
    assertThat(described.get("low_rank_modules"))
        .isEqualTo(ModelConfig.parse(LIST).get("low_rank_modules"));
    byte[] bytes = TestCheckpoints.safetensors(TENSORS, listed().headerMetadata());
    Path file = TestCheckpoints.write(temp.resolve("w.safetensors"), bytes);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(LowRank.of(checkpoint)).isEqualTo(listed());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'c': {'rank': 2, 'delta': 1} | delta must be true or false, found 1",
        "'c': {'rank': 2, 'delta': 'true'} | delta must be true or false, found \"true\"",
        "'c': {'rank': 2, 'delta': null} | delta must be true or false, found null",
        "'c': {'delta': true} | without a rank"
      })
  void malformedChangesAreRefused(String modules, String message) {
    String config = "{'low_rank_modules': {" + modules + "}}";
    assertThatThrownBy(() -> read(config.replace('\'', '"'), TENSORS, LowRank::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("config.json|c", message);
  }

  @Test
  void partsAreNoChanges() {
    String config =
        """
        {"low_rank_modules": {"m": {"parts": [
           {"name": "q", "rows": [0, 4, 4, 1], "rank": 1},
           {"name": "k", "rows": [4, 4, 4, 1]}], "delta": true}}}
        """;
    assertThatThrownBy(() -> read(config, TENSORS, LowRank::of))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("|m]", "found 'delta'");
    String part = config.replace(", \"delta\": true", "").replace("1}", "1, \"delta\": true}");
    assertThatThrownBy(() -> read(part, TENSORS, LowRank::of))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("m.q", "found 'delta'");
  }

  private List<List<String>> names(Function<FactoredTensor, List<TensorView>> part) {
    return read(
        LIST,
        TENSORS,
        checkpoint ->
            FactoredTensor.of(checkpoint).stream()
                .map(tensor -> part.apply(tensor).stream().map(TensorView::name).toList())
                .toList());
  }

  @Test
  void theMatrixIsTheModulesOwn() {
    assertThat(names(FactoredTensor::tensors))
        .containsExactly(
            List.of("c.weight", "c.ALinear.weight", "c.BLinear.weight"),
            List.of("smelt.basis.4", "p.BLinear.weight"),
            List.of("t.weight", "smelt.basis.4", "t.BLinear.weight"));
    assertThat(names(FactoredTensor::ownTensors))
        .containsExactly(
            List.of("c.weight", "c.ALinear.weight", "c.BLinear.weight"),
            List.of("p.BLinear.weight"),
            List.of("t.weight", "t.BLinear.weight"));
    assertThat(names(tensor -> tensor.bases()))
        .containsExactly(List.of(), List.of("smelt.basis.4"), List.of("smelt.basis.4"));
    assertThat(names(tensor -> tensor.base().stream().toList()))
        .containsExactly(List.of("c.weight"), List.of(), List.of("t.weight"));
  }

  /** Factors of 32 bits change matrices of 16. */
  @Test
  void theDenseTensorIsLikeTheMatrix() {
    List<String> infos =
        read(
            LIST,
            TENSORS,
            c ->
                FactoredTensor.of(c).stream()
                    .map(t -> t.info().name() + " " + t.info().dtype() + " " + t.info().shape())
                    .toList());
    assertThat(infos)
        .containsExactly(
            "c.weight " + DType.BF16 + " [2,1,1,3]",
            "p.weight " + DType.F32 + " [3,2]",
            "t.weight " + DType.BF16 + " [4,3]");
    List<Integer> ranks =
        read(
            LIST,
            TENSORS,
            c -> FactoredTensor.of(c).stream().map(t -> t.rank().orElse(0)).toList());
    assertThat(ranks).containsExactly(1, 2, 2);
  }

  private void assertCorrupt(List<TestTensor> tensors, String... message) {
    assertThatThrownBy(() -> read(LIST, tensors, FactoredTensor::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll(message);
  }

  @Test
  void aMatrixThatTheFactorsDoNotFitIsRefused() {
    assertCorrupt(
        with(f32("t.weight", Shape.of(3, 4), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
        "|t]",
        "expected floats [4,3]",
        "found F32 [3,4]");
    assertCorrupt(
        with(f32("c.weight", Shape.of(2, 3), 1, 2, 3, 4, 5, 6)),
        "|c]",
        "expected floats [2,1,1,3]");
    assertCorrupt(
        with(TestTensors.random("t.weight", DType.I32, 1, 4, 3)), "|t]", "found I32 [4,3]");
  }

  @Test
  void aSecondBiasIsRefused() {
    assertCorrupt(with(f32("c.ALinear.bias", Shape.of(2), 1, 2)), "|c.ALinear.bias]", "as c.bias");
  }

  @Test
  void aMissingMatrixIsNamed() {
    List<TestTensor> tensors = with();
    tensors.removeIf(tensor -> tensor.name().equals("t.weight"));
    assertThatThrownBy(() -> read(LIST, tensors, FactoredTensor::of))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("t.weight");
  }

  @Test
  void noSuchCheckpointIsDense() {
    assertThatThrownBy(
            () ->
                read(
                    LIST,
                    TENSORS,
                    checkpoint -> {
                      LowRank.requireDense(checkpoint);
                      return true;
                    }))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("smelt expand");
  }
}
