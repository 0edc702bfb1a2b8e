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
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank.Entry;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Modules that share a factor. */
class SharedBasesTest {

  /** m and n share A [3, 2]; t and u share B [1, 4], and t is stored transposed. */
  private static final String LIST =
      """
      {"low_rank_modules": {
         "m": {"rank": 2, "A": "smelt.basis.0"},
         "n": {"rank": 2, "A": "smelt.basis.0"},
         "t": {"rank": 1, "transposed": true, "B": "smelt.basis.12"},
         "u": {"rank": 1, "B": "smelt.basis.12"}}}
      """;

  private static final List<TestTensor> TENSORS =
      List.of(
          f32("smelt.basis.0", Shape.of(3, 2), 1, 2, 3, 4, 5, 6),
          f32("smelt.basis.12", Shape.of(1, 4), 1, 2, 3, 4),
          bf16("m.BLinear.weight", Shape.of(2, 2), 1, 2, 3, 4),
          f32("n.BLinear.weight", Shape.of(2, 5), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
          bf16("t.ALinear.weight", Shape.of(2, 1), 1, 2),
          f32("u.ALinear.weight", Shape.of(3, 1), 1, 2, 3));

  @TempDir Path temp;

  private StoredModel model() {
    return new StoredModel(temp, LIST, TENSORS);
  }

  private static LowRank listed() {
    SequencedMap<String, Entry> modules = new LinkedHashMap<>();
    modules.put("m", new Module(2, false, new Sharing.OfA(new Basis(0))));
    modules.put("n", new Module(2, false, new Sharing.OfA(new Basis(0))));
    modules.put("t", new Module(1, true, new Sharing.OfB(new Basis(12))));
    modules.put("u", new Module(1, false, new Sharing.OfB(new Basis(12))));
    return new LowRank(modules);
  }

  @Test
  void namesOfTensors() {
    assertThat(new Module(2, false).nameOfA("m")).isEqualTo("m.ALinear.weight");
    assertThat(new Module(2, false).nameOfB("m")).isEqualTo("m.BLinear.weight");
    Module a = new Module(2, false, new Sharing.OfA(new Basis(7)));
    assertThat(a.nameOfA("m")).isEqualTo("smelt.basis.7");
    assertThat(a.nameOfB("m")).isEqualTo("m.BLinear.weight");
    Module b = new Module(2, false, new Sharing.OfB(new Basis(7)));
    assertThat(b.nameOfA("m")).isEqualTo("m.ALinear.weight");
    assertThat(b.nameOfB("m")).isEqualTo("smelt.basis.7");
  }

  @Test
  void theListIsUnderstood() {
    LowRank found = model().read(LowRank::of);
    assertThat(found).isEqualTo(listed());
    assertThat(found.bases())
        .containsExactly(
            Map.entry(new Basis(0), List.of("m", "n")),
            Map.entry(new Basis(12), List.of("t", "u")));
  }

  @Test
  void theListIsWrittenAsItIsRead() {
    ModelConfig described = listed().describe(ModelConfig.parse("{}"), "plain");
    assertThat(described.get("truncation_ranks"))
        .isEqualTo(ModelConfig.parse("{\"r\": {\"m\": 2, \"n\": 2, \"t\": 1, \"u\": 1}}").get("r"));
    model().assertIsWrittenOf(listed());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'m': {'rank': 2, 'A': 'smelt.basis.1', 'B': 'smelt.basis.2'} | a factor of its own",
        "'m': {'A': 'smelt.basis.1'} | without a rank",
        "'m': {'rank': 2, 'A': 'smelt.basis.01'} | expected \"smelt.basis.<number>\"",
        "'m': {'rank': 2, 'A': 'smelt.basis.-1'} | expected \"smelt.basis.<number>\"",
        "'m': {'rank': 2, 'A': 'smelt.basis.'} | expected \"smelt.basis.<number>\"",
        "'m': {'rank': 2, 'B': 'smelt.basis.1x'} | expected \"smelt.basis.<number>\"",
        "'m': {'rank': 2, 'B': 'smelt.basis.9999999999'} | expected \"smelt.basis.<number>\"",
        "'m': {'rank': 2, 'B': 'n.BLinear.weight'} | found \"n.BLinear.weight\"",
        "'m': {'rank': 2, 'B': 3} | found 3",
        "'m': {'rank': 2, 'B': null} | found null",
        "'m': {'rank': 2, 'A': 'smelt.basis.1'}, 'n': {'rank': 3, 'A': 'smelt.basis.1'}"
            + " | smelt.basis.1 is A with rank 2 of m and A with rank 3 of n",
        "'m': {'rank': 2, 'A': 'smelt.basis.1'}, 'n': {'rank': 2, 'B': 'smelt.basis.1'}"
            + " | smelt.basis.1 is A with rank 2 of m and B with rank 2 of n"
      })
  void malformedSharingIsRefused(String modules, String message) {
    String config = "{'low_rank_modules': {" + modules + "}}";
    assertThatThrownBy(() -> model().listed(config.replace('\'', '"')).read(LowRank::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("config.json", message);
  }

  @Test
  void aWholeInPartsDoesNotShare() {
    String config =
        """
        {"low_rank_modules": {"m": {"parts": [
           {"name": "q", "rows": [0, 4, 4, 1], "rank": 1},
           {"name": "k", "rows": [4, 4, 4, 1]}], "B": "smelt.basis.0"}}}
        """;
    assertThatThrownBy(() -> model().listed(config).read(LowRank::of))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("found 'B'");
  }

  @Test
  void aBasisIsInEveryTensorMadeOfIt() {
    assertThat(model().names(FactoredTensor::tensors))
        .containsExactly(
            List.of("smelt.basis.0", "m.BLinear.weight"),
            List.of("smelt.basis.0", "n.BLinear.weight"),
            List.of("t.ALinear.weight", "smelt.basis.12"),
            List.of("u.ALinear.weight", "smelt.basis.12"));
    assertThat(model().names(FactoredTensor::ownTensors))
        .containsExactly(
            List.of("m.BLinear.weight"),
            List.of("n.BLinear.weight"),
            List.of("t.ALinear.weight"),
            List.of("u.ALinear.weight"));
    assertThat(model().names(tensor -> tensor.bases()))
        .containsExactly(
            List.of("smelt.basis.0"),
            List.of("smelt.basis.0"),
            List.of("smelt.basis.12"),
            List.of("smelt.basis.12"));
  }

  /** m has coefficients of 16 bits and a basis of 32, t a transposed matrix. */
  @Test
  void theDenseTensorHasTheWiderType() {
    assertThat(model().infos())
        .containsExactly(
            "m.weight " + DType.F32 + " [3,2]",
            "n.weight " + DType.F32 + " [3,5]",
            "t.weight " + DType.F32 + " [4,2]",
            "u.weight " + DType.F32 + " [3,4]");
  }

  private void assertCorrupt(TestTensor other, String... message) {
    assertThatThrownBy(() -> model().with(other).read(FactoredTensor::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll(message);
  }

  @Test
  void aBasisOfAnotherShapeIsRefused() {
    assertCorrupt(
        f32("smelt.basis.0", Shape.of(2, 3), 1, 2, 3, 4, 5, 6),
        "|m]",
        "[out,2] and [2,in], found F32 [2,3] in smelt.basis.0");
    assertCorrupt(f32("smelt.basis.12", Shape.of(4), 1, 2, 3, 4), "F32 [4] in smelt.basis.12");
    assertCorrupt(f32("n.BLinear.weight", Shape.of(1, 2), 1, 2), "|n]", "F32 [1,2]");
  }

  @Test
  void aFactorOfItsOwnBesideTheBasisIsRefused() {
    assertCorrupt(
        f32("m.ALinear.weight", Shape.of(3, 2), 1, 2, 3, 4, 5, 6),
        "|m.ALinear.weight]",
        "expected only smelt.basis.0");
    assertCorrupt(f32("u.BLinear.weight", Shape.of(1, 4), 1, 2, 3, 4), "|u.BLinear.weight]");
  }

  @Test
  void aMissingBasisIsNamed() {
    assertThatThrownBy(() -> model().without("smelt.basis.12").read(FactoredTensor::of))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContainingAll("basis missing", "'smelt.basis.12' for t, u");
  }

  @Test
  void aBasisThatNoModuleUsesIsRefused() {
    assertCorrupt(f32("smelt.basis.1", Shape.of(1), 1), "|smelt.basis.1]", "names it");
    assertCorrupt(f32("smelt.basis.00", Shape.of(1), 1), "expected smelt.basis.<number>");
    assertCorrupt(f32("smelt.basis.0.weight", Shape.of(1), 1), "smelt.basis.<number>");
    assertThatThrownBy(() -> model().listed("{}").read(FactoredTensor::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("|smelt.basis.0]");
  }

  @Test
  void noSuchCheckpointIsDense() {
    assertThatThrownBy(() -> model().read(SharedBasesTest::requireDense))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("smelt expand");
    assertThatThrownBy(() -> model().listed("{}").read(SharedBasesTest::requireDense))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("|smelt.basis.0]");
  }

  private static boolean requireDense(Checkpoint checkpoint) {
    LowRank.requireDense(checkpoint);
    return true;
  }
}
