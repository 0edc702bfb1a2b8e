package dev.smelt.formats.model;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank.Entry;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.model.LowRank.Part;
import dev.smelt.formats.model.LowRank.Split;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Matrices in parts along their inputs, and parts that share bases. */
class PanelsTest {

  /**
   * m [3, 5] has columns 0 and 1, 2 and 4, 3 as parts, the first two with the A [3, 2] of n; t [2,
   * 4], stored transposed, has rows as parts with one B.
   */
  private static final String LIST =
      """
      {"low_rank_modules": {
         "m": {"parts": [
            {"name": "p0", "columns": [0, 2, 2, 1], "rank": 2, "A": "smelt.basis.0"},
            {"name": "p1", "columns": [2, 1, 2, 2], "rank": 2, "A": "smelt.basis.0"},
            {"name": "p2", "columns": [3, 1, 1, 1]}]},
         "n": {"rank": 2, "A": "smelt.basis.0"},
         "t": {"parts": [
            {"name": "p0", "rows": [0, 1, 1, 1], "rank": 1, "B": "smelt.basis.3"},
            {"name": "p1", "rows": [1, 1, 1, 1], "rank": 1, "B": "smelt.basis.3"}],
            "transposed": true}}}
      """;

  private static final List<TestTensor> TENSORS =
      List.of(
          f32("smelt.basis.0", Shape.of(3, 2), 1, 2, 3, 4, 5, 6),
          f32("smelt.basis.3", Shape.of(1, 4), 1, 2, 3, 4),
          bf16("m.p0.BLinear.weight", Shape.of(2, 2), 1, 2, 3, 4),
          bf16("m.p1.BLinear.weight", Shape.of(2, 2), 1, 2, 3, 4),
          bf16("m.p2.weight", Shape.of(3, 1), 1, 2, 3),
          bf16("n.BLinear.weight", Shape.of(2, 1), 1, 2),
          bf16("t.p0.ALinear.weight", Shape.of(1, 1), 1),
          bf16("t.p1.ALinear.weight", Shape.of(1, 1), 2));

  @TempDir private Path temp;

  private StoredModel model() {
    return new StoredModel(temp, LIST, TENSORS);
  }

  private static LowRank listed() {
    Sharing a = new Sharing.OfA(new Basis(0));
    Sharing b = new Sharing.OfB(new Basis(3));
    SequencedMap<String, Entry> modules = new LinkedHashMap<>();
    modules.put(
        "m",
        new Split(
            List.of(
                new Part("p0", new Slice(Axis.INPUT, 0, 2, 2, 1), OptionalInt.of(2), a),
                new Part("p1", new Slice(Axis.INPUT, 2, 1, 2, 2), OptionalInt.of(2), a),
                new Part("p2", new Slice(Axis.INPUT, 3, 1, 1, 1), OptionalInt.empty())),
            false));
    modules.put("n", new Module(2, false, a));
    modules.put(
        "t",
        new Split(
            List.of(
                new Part("p0", new Slice(Axis.OUTPUT, 0, 1, 1, 1), OptionalInt.of(1), b),
                new Part("p1", new Slice(Axis.OUTPUT, 1, 1, 1, 1), OptionalInt.of(1), b)),
            true));
    return new LowRank(modules);
  }

  @Test
  void theListIsUnderstood() {
    LowRank found = model().read(LowRank::of);
    assertThat(found).isEqualTo(listed());
    assertThat(found.modules().get("m"))
        .isInstanceOfSatisfying(
            Split.class,
            split -> {
              assertThat(split.axis()).isEqualTo(Axis.INPUT);
              assertThat(split.size()).isEqualTo(5);
            });
    assertThat(found.bases())
        .containsExactly(
            Map.entry(new Basis(0), List.of("m.p0", "m.p1", "n")),
            Map.entry(new Basis(3), List.of("t.p0", "t.p1")));
    assertThat(found.pairs().keySet()).containsExactly("m.p0", "m.p1", "n", "t.p0", "t.p1");
    assertThat(found.pairs())
        .containsEntry("t.p1", new Module(1, true, new Sharing.OfB(new Basis(3))));
  }

  @Test
  void theListIsWrittenAsItIsRead() {
    ModelConfig described = listed().describe(ModelConfig.parse("{}"), "cluster");
    assertThat(described.get("truncation_ranks"))
        .isEqualTo(
            ModelConfig.parse(
                    "{\"r\": {\"m.p0\": 2, \"m.p1\": 2, \"n\": 2, \"t.p0\": 1, \"t.p1\": 1}}")
                .get("r"));
    model().assertIsWrittenOf(listed());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'columns': [1, 1, 1, 1], 'rank': 1 | 3 columns together, the last column is 1",
        "'columns': [3, 1, 1, 1], 'rank': 1 | 3 columns together, the last column is 3",
        "'columns': [0, 1, 2, 2], 'rank': 1 | 4 columns together, the last column is 2",
        "'columns': [1, 2, 2, 1], 'rank': 1 | 4 columns together, the last column is 2",
        "'columns': [2, 0, 1, 1] | count >= 1",
        "'columns': [2, 2147483647, 2147483647, 1] | columns beyond",
        "'columns': [2, 2000000000, 2000000000, 1] | at most 67108864",
        "'columns': 2 | columns must be [first, count, stride, groups], found 2",
        "'rows': [2, 1, 1, 1] | some parts are rows, others columns",
        "'rows': [2, 1, 1, 1], 'columns': [2, 1, 1, 1] | either rows or columns",
        "'rank': 1 | either rows or columns",
        "'columns': [2, 1, 1, 1], 'A': 'smelt.basis.1' | k shares a factor and has no rank",
        "'columns': [2, 1, 1, 1], 'rank': 1, 'A': 'basis.1' | expected \"smelt.basis.<number>\"",
        "'columns': [2, 1, 1, 1], 'rank': 1, 'A': 'smelt.basis.1', 'B': 'smelt.basis.2'"
            + " | a factor of its own",
        "'columns': [2, 1, 1, 1], 'rank': 1, 'B': 'smelt.basis.0'"
            + " | smelt.basis.0 is A with rank 2 of m.q and B with rank 1 of m.k",
        "'columns': [2, 1, 1, 1], 'rank': 1, 'A': 'smelt.basis.0'"
            + " | smelt.basis.0 is A with rank 2 of m.q and A with rank 1 of m.k"
      })
  void partsThatMakeNoMatrixAreRefused(String second, String message) {
    String first = "{'name': 'q', 'columns': [0, 2, 2, 1], 'rank': 2, 'A': 'smelt.basis.0'}";
    String config =
        "{'low_rank_modules': {'m': {'parts': [" + first + ", {'name': 'k', " + second + "}]}}}";
    assertThatThrownBy(() -> model().listed(config.replace('\'', '"')).read(LowRank::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("config.json", message);
  }

  @Test
  void aPartStoredInAnUnknownWayIsRefused() {
    String config =
        LIST.replace("\"columns\": [3, 1, 1, 1]", "\"columns\": [3, 1, 1, 1], \"C\": 1");
    assertThatThrownBy(() -> model().listed(config).read(LowRank::of))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("m.p2", "found 'C'");
  }

  @Test
  void aPartAndAModuleOfOneBasisHaveItsRank() {
    String config = LIST.replace("\"n\": {\"rank\": 2", "\"n\": {\"rank\": 3");
    assertThatThrownBy(() -> model().listed(config).read(LowRank::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("smelt.basis.0 is A with rank 2 of m.p0 and A with rank 3 of n");
  }

  @Test
  void theDenseTensorIsPutTogether() {
    assertThat(model().infos())
        .containsExactly(
            "m.weight " + DType.F32 + " [3,5]",
            "n.weight " + DType.F32 + " [3,1]",
            "t.weight " + DType.F32 + " [4,2]");
    assertThat(model().names(FactoredTensor::tensors))
        .containsExactly(
            List.of("smelt.basis.0", "m.p0.BLinear.weight", "m.p1.BLinear.weight", "m.p2.weight"),
            List.of("smelt.basis.0", "n.BLinear.weight"),
            List.of("t.p0.ALinear.weight", "smelt.basis.3", "t.p1.ALinear.weight"));
    assertThat(model().names(FactoredTensor::bases))
        .containsExactly(
            List.of("smelt.basis.0", "smelt.basis.0"),
            List.of("smelt.basis.0"),
            List.of("smelt.basis.3", "smelt.basis.3"));
    List<int[]> sizes =
        model().each(tensor -> new int[] {tensor.out(), Math.toIntExact(tensor.in())});
    assertThat(sizes.get(0)).containsExactly(3, 5);
    assertThat(sizes.get(2)).containsExactly(2, 4);
  }

  private void assertRefused(TestTensor other, String... message) {
    assertThatThrownBy(() -> model().with(other).read(FactoredTensor::of))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll(message);
  }

  @Test
  void tensorsThatDoNotFitAreRefused() {
    assertRefused(
        bf16("m.p2.weight", Shape.of(1, 3), 1, 2, 3), "|m.p2]", "floats [out,1], found BF16 [1,3]");
    assertRefused(
        bf16("m.p2.weight", Shape.of(2, 1), 1, 2), "|m]", "of 3 outputs, found BF16 [2,1]");
    assertRefused(
        bf16("m.p1.BLinear.weight", Shape.of(2, 3), 1, 2, 3, 4, 5, 6),
        "|m.p1]",
        "a part of 2 columns, found BF16 [2,3]");
    assertRefused(
        f32("smelt.basis.3", Shape.of(2, 2), 1, 2, 3, 4), "|t.p0]", "F32 [2,2] in smelt.basis.3");
    assertRefused(
        f32("m.p1.ALinear.weight", Shape.of(3, 2), 1, 2, 3, 4, 5, 6),
        "|m.p1.ALinear.weight]",
        "expected only smelt.basis.0");
  }

  @Test
  void missingTensorsAreNamed() {
    for (String name : List.of("m.p1.BLinear.weight", "m.p2.weight", "smelt.basis.3")) {
      assertThatThrownBy(() -> model().without(name).read(FactoredTensor::of))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("'" + name + "'");
    }
  }
}
