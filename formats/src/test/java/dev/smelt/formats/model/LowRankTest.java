package dev.smelt.formats.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
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
        "{\"m\": {\"rank\": 2, \"transposed\": null}}"
      })
  void malformedListsAreRefused(String modules) {
    assertThatThrownBy(() -> read("{\"low_rank_modules\": " + modules + "}"))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(temp.resolve("m").resolve("config.json").toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"low_rank_schema\": \"UV\", \"low_rank_modules\": {}}",
        "{\"low_rank_schema\": \"ABLinear\", \"low_rank_format_version\": 2}",
        "{\"low_rank_modules\": {\"m\": {\"rank\": 2, \"A\": \"smelt.basis.3\"}}}"
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
    SequencedMap<String, Module> modules = new LinkedHashMap<>();
    modules.put("h.0.c_fc", new Module(3, true));
    modules.put("h.1.q", new Module(2, false));
    return new LowRank(modules);
  }
}
