package dev.smelt.formats.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank.Entry;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.model.LowRank.Part;
import dev.smelt.formats.model.LowRank.Split;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LowRankTest {

  private static final String DENSE =
      "{\"model_type\": \"gpt2\", \"n_embd\": 8, \"initializer_range\": 0.020, \"other\": [1, null]}";

  @TempDir Path temp;

  private final List<TestTensor> tensors = List.of(TestTensors.f32("w", Shape.of(1), 1f));

  @Test
  void namesOfFactors() {
    assertThat(LowRank.factorA("h.0.c_fc")).isEqualTo("h.0.c_fc.ALinear.weight");
    assertThat(LowRank.factorB("h.0.c_fc")).isEqualTo("h.0.c_fc.BLinear.weight");
    assertThat(LowRank.bias("h.0.c_fc")).isEqualTo("h.0.c_fc.ALinear.bias");
  }

  @Test
  void describesAsOtherProjectsReadIt() {
    ModelConfig described = modules().describe(ModelConfig.parse(DENSE), "fisher");
    ModelConfig expected =
        ModelConfig.parse(
            """
            {"model_type": "gpt2", "n_embd": 8, "initializer_range": 0.020, "other": [1, null],
             "low_rank_schema": "ABLinear", "low_rank_format_version": 1,
             "low_rank_method": "fisher",
             "low_rank_modules": {"h.0.c_fc": {"rank": 3, "transposed": true}, "h.1.q": {"rank": 2}},
             "truncation_ranks": {"h.0.c_fc": 3, "h.1.q": 2}}
            """);
    assertThat(described).isEqualTo(expected);
    assertThat(LowRank.undescribe(described)).isEqualTo(ModelConfig.parse(DENSE));
    assertThat(LowRank.undescribe(described).toJson()).isEqualTo(ModelConfig.parse(DENSE).toJson());
  }

  @Test
  void comesBackFromAFolder() {
    String config = modules().describe(ModelConfig.parse(DENSE), "plain").toJson();
    assertThat(read(config)).isEqualTo(modules());
  }

  @Test
  void comesBackFromAFileWithoutConfig() {
    byte[] bytes = TestCheckpoints.safetensors(tensors, modules().headerMetadata());
    Path file = TestCheckpoints.write(temp.resolve("w.safetensors"), bytes);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(LowRank.of(checkpoint)).isEqualTo(modules());
    }
  }

  @Test
  void denseModelsHaveNone() {
    assertThat(read(DENSE).modules()).isEmpty();
    Path file = TestCheckpoints.file(temp.resolve("w.safetensors"), tensors);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(LowRank.of(checkpoint).modules()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[]",
        "\"x\"",
        "{\"m\": 3}",
        "{\"m\": {}}",
        "{\"m\": {\"rank\": 0}}",
        "{\"m\": {\"rank\": -1}}",
        "{\"m\": {\"rank\": \"3\"}}",
        "{\"m\": {\"rank\": 1.5}}",
        "{\"m\": {\"rank\": 3000000000}}",
        "{\"m\": {\"rank\": 2, \"transposed\": \"yes\"}}",
        "{\"m\": {\"rank\": 2, \"transposed\": null}}",
        "{\"m\": {\"parts\": 3}}",
        "{\"m\": {\"parts\": []}}",
        "{\"m\": {\"parts\": [7]}}",
        "{\"m\": {\"parts\": [{\"name\": \"q\", \"rows\": [0, 4, 4, 1], \"rank\": 1}]}}",
        "{\"m\": {\"parts\": [{\"name\": \"q\", \"rows\": [0, 4, 4, 1]}, {\"name\": \"k\", \"rows\": [4, 4, 4, 1]}]}}"
      })
  void malformedListsAreRefused(String modules) {
    assertThatThrownBy(() -> read("{\"low_rank_modules\": " + modules + "}"))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(temp.resolve("m").resolve("config.json").toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'name': 'q', 'rows': [0, 4, 4, 1], 'rank': 1} | two parts named q",
        "{'name': 'k', 'rows': [4, 4, 4, 1], 'rank': 0} | without a rank",
        "{'name': 'k', 'rows': [4, 4, 4, 1], 'rank': null} | without a rank",
        "{'name': 'k', 'rows': [3, 4, 4, 1]} | 8 rows together, the last row is 6",
        "{'name': 'k', 'rows': [5, 4, 4, 1]} | 8 rows together, the last row is 8",
        "{'name': 'k', 'rows': [0, 1, 7, 2]} | 6 rows together, the last row is 7",
        "{'name': 'k', 'rows': [1, 2, 5, 2]} | row 4 is in no part",
        "{'name': 'k', 'rows': [4, 4, 4]} | [first, count, stride, groups]",
        "{'name': 'k', 'rows': [4, 4, 4, 1.5]} | [first, count, stride, groups]",
        "{'name': 'k', 'rows': '4'} | [first, count, stride, groups]",
        "{'name': 'k'} | [first, count, stride, groups]",
        "{'name': 'k', 'rows': [4, 4, 4, 1], 'columns': [4, 4, 4, 1]} | either rows or columns",
        "{'name': 'k', 'columns': [4, 4, 4, 1]} | some parts are rows, others columns",
        "{'name': 'k', 'rows': [4, 4, 4, 1], 'A': 'smelt.basis.0'} | k shares a factor and has no rank",
        "{'name': 'k', 'rows': [4, 0, 4, 1]} | count >= 1",
        "{'name': 'k', 'rows': [4, 2147483647, 2147483647, 1]} | rows beyond",
        "{'name': 'k', 'rows': [4, 2000000000, 2000000000, 1]} | at most 67108864",
        "{'name': '../k', 'rows': [4, 4, 4, 1]} | no name of a part",
        "{'name': 'weight', 'rows': [4, 4, 4, 1]} | no name of a part",
        "{'name': 3, 'rows': [4, 4, 4, 1]} | a part with a name"
      })
  void partsThatMakeNoMatrixAreRefused(String second, String message) {
    String parts = "{'name': 'q', 'rows': [0, 4, 4, 1], 'rank': 2}, " + second;
    String config = "{'low_rank_modules': {'m': {'parts': [" + parts + "]}}}";
    assertThatThrownBy(() -> read(config.replace('\'', '"')))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("config.json|m", message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'m': {'rank': 3, 'parts': [PARTS]} | parts and a rank",
        "'m': {'parts': [PARTS]}, 'm.q': {'rank': 2} | m.q is listed as part and as module"
      })
  void aModuleListedBothWaysIsRefused(String modules, String message) {
    String parts =
        "{'name': 'q', 'rows': [0, 4, 4, 1], 'rank': 2}, {'name': 'k', 'rows': [4, 4, 4, 1]}";
    String config = "{'low_rank_modules': {" + modules.replace("PARTS", parts) + "}}";
    assertThatThrownBy(() -> read(config.replace('\'', '"')))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(message);
  }

  @Test
  void partsComeBackFromConfigAndHeader() {
    ModelConfig described = parts().describe(ModelConfig.parse(DENSE), "plain");
    ModelConfig expected =
        ModelConfig.parse(
            """
            {"model_type": "gpt2", "n_embd": 8, "initializer_range": 0.020, "other": [1, null],
             "low_rank_schema": "ABLinear", "low_rank_format_version": 1,
             "low_rank_method": "plain",
             "low_rank_modules": {"h.0.c_attn": {
               "parts": [{"name": "q", "rows": [0, 2, 4, 3], "rank": 2},
                         {"name": "k", "rows": [2, 2, 4, 3]}],
               "transposed": true}},
             "truncation_ranks": {"h.0.c_attn.q": 2}}
            """);
    assertThat(described).isEqualTo(expected);
    assertThat(read(described.toJson())).isEqualTo(parts());
    byte[] bytes = TestCheckpoints.safetensors(tensors, parts().headerMetadata());
    try (Checkpoint file =
        Checkpoint.open(TestCheckpoints.write(temp.resolve("w.safetensors"), bytes))) {
      assertThat(LowRank.of(file)).isEqualTo(parts());
    }
  }

  private static LowRank parts() {
    SequencedMap<String, Entry> modules = new LinkedHashMap<>();
    modules.put(
        "h.0.c_attn",
        new Split(
            List.of(
                new Part("q", new Slice(Axis.OUTPUT, 0, 2, 4, 3), OptionalInt.of(2)),
                new Part("k", new Slice(Axis.OUTPUT, 2, 2, 4, 3), OptionalInt.empty())),
            true));
    return new LowRank(modules);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"low_rank_schema\": \"UV\", \"low_rank_modules\": {}}",
        "{\"low_rank_schema\": \"ABLinear\", \"low_rank_format_version\": 2}",
        "{\"low_rank_modules\": {\"m\": {\"rank\": 2, \"C\": \"smelt.basis.3\"}}}",
        "{\"low_rank_modules\": {\"m\": {\"parts\": [], \"basis\": 2}}}"
      })
  void whatIsNotUnderstoodIsRefused(String config) {
    assertThatThrownBy(() -> read(config))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("config.json", "expected", "found");
  }

  private LowRank read(String config) {
    Path folder = TestCheckpoints.folder(temp.resolve("m"), config, tensors);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      return LowRank.of(checkpoint);
    }
  }

  private static LowRank modules() {
    SequencedMap<String, Entry> modules = new LinkedHashMap<>();
    modules.put("h.0.c_fc", new Module(3, true));
    modules.put("h.1.q", new Module(2, false));
    return new LowRank(modules);
  }
}
