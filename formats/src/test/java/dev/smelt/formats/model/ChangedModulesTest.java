package dev.smelt.formats.model;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank.Entry;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
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

  private StoredModel model() {
    return new StoredModel(temp, LIST, TENSORS);
  }

  private static LowRank listed() {
    Sharing shared = new Sharing.OfA(new Basis(4));
    SequencedMap<String, Entry> modules = new LinkedHashMap<>();
    modules.put("c", new Module(1, false, new Sharing.None(), true));
    modules.put("p", new Module(2, false, shared));
    modules.put("t", new Module(2, true, shared, true));
    return new LowRank(modules);
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
    LowRank found = model().read(LowRank::of);
    assertThat(found).isEqualTo(listed());
    assertThat(found.bases()).containsExactly(Map.entry(new Basis(4), List.of("p", "t")));
    String explicit = LIST.replace("\"p\": {", "\"p\": {\"delta\": false, ");
    assertThat(model().listed(explicit).read(LowRank::of)).isEqualTo(listed());
  }

  @Test
  void theListIsWrittenAsItIsRead() {
    model().assertIsWrittenOf(listed());
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
    assertThatThrownBy(() -> model().listed(config.replace('\'', '"')).read(LowRank::of))
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
    assertThatThrownBy(() -> model().listed(config).read(LowRank::of))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("|m]", "found 'delta'");
    String part = config.replace(", \"delta\": true", "").replace("1}", "1, \"delta\": true}");
    assertThatThrownBy(() -> model().listed(part).read(LowRank::of))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("m.q", "found 'delta'");
  }

  @Test
  void theMatrixIsTheModulesOwn() {
    assertThat(model().names(FactoredTensor::tensors))
        .containsExactly(
            List.of("c.weight", "c.ALinear.weight", "c.BLinear.weight"),
            List.of("smelt.basis.4", "p.BLinear.weight"),
            List.of("t.weight", "smelt.basis.4", "t.BLinear.weight"));
    assertThat(model().names(FactoredTensor::ownTensors))
        .containsExactly(
            List.of("c.weight", "c.ALinear.weight", "c.BLinear.weight"),
            List.of("p.BLinear.weight"),
            List.of("t.weight", "t.BLinear.weight"));
    assertThat(model().names(tensor -> tensor.bases()))
        .containsExactly(List.of(), List.of("smelt.basis.4"), List.of("smelt.basis.4"));
    assertThat(model().names(tensor -> tensor.base().stream().toList()))
        .containsExactly(List.of("c.weight"), List.of(), List.of("t.weight"));
  }

  /** Factors of 32 bits change matrices of 16. */
  @Test
  void theDenseTensorIsLikeTheMatrix() {
    assertThat(model().infos())
        .containsExactly(
            "c.weight " + DType.BF16 + " [2,1,1,3]",
            "p.weight " + DType.F32 + " [3,2]",
            "t.weight " + DType.BF16 + " [4,3]");
    assertThat(model().each(tensor -> tensor.rank().orElse(0))).containsExactly(1, 2, 2);
  }

  private void assertCorrupt(TestTensor other, String... message) {
    assertThatThrownBy(() -> model().with(other).read(FactoredTensor::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll(message);
  }

  @Test
  void aMatrixThatTheFactorsDoNotFitIsRefused() {
    assertCorrupt(
        f32("t.weight", Shape.of(3, 4), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
        "|t]",
        "expected floats [4,3]",
        "found F32 [3,4]");
    assertCorrupt(
        f32("c.weight", Shape.of(2, 3), 1, 2, 3, 4, 5, 6), "|c]", "expected floats [2,1,1,3]");
    assertCorrupt(TestTensors.random("t.weight", DType.I32, 1, 4, 3), "|t]", "found I32 [4,3]");
  }

  @Test
  void aSecondBiasIsRefused() {
    assertCorrupt(f32("c.ALinear.bias", Shape.of(2), 1, 2), "|c.ALinear.bias]", "as c.bias");
  }

  @Test
  void aMissingMatrixIsNamed() {
    assertThatThrownBy(() -> model().without("t.weight").read(FactoredTensor::of))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("t.weight");
  }

  @Test
  void noSuchCheckpointIsDense() {
    assertThatThrownBy(
            () ->
                model()
                    .read(
                        checkpoint -> {
                          LowRank.requireDense(checkpoint);
                          return true;
                        }))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("smelt expand");
  }
}
