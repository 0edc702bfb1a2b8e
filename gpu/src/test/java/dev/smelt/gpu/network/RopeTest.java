package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyModel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rotary positions as configs ask for them, against plain Java. */
class RopeTest {

  /** Mixed lengths, so that batches have padding; some are beyond the trained length of 4. */
  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3);

  @TempDir private Path folder;

  private void assertLogits(TinyModel model) {
    LogitAssertions.assertLogits(folder, model, WINDOWS);
  }

  private void assertChanged(TinyModel before, TinyModel model) {
    LogitAssertions.assertChanged(folder, before, model, WINDOWS);
  }

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private void refuses(TinyModel model, Class<? extends BadInputException> type, String... named) {
    assertThatThrownBy(() -> load(model)).isInstanceOf(type).message().contains(named);
  }

  @ParameterizedTest
  @ValueSource(strings = {"rope_scaling", "rope_parameters"})
  void stretchesRotaryPositions(String key) {
    TinyModel llama =
        TinyDecoders.languageModel("llama")
            .withConfig("max_position_embeddings", 4)
            .withConfig("rope_theta", 50.0);
    assertLogits(llama.withConfig(key, Map.of("rope_type", "default")));
    assertLogits(llama.withConfig(key, TinyModel.NULL));
    assertChanged(llama, llama.withConfig(key, Map.of("type", "linear", "factor", 3)));
    assertChanged(llama, llama.withConfig(key, Map.of("rope_type", "dynamic", "factor", 2.5)));
    assertChanged(llama, llama.withConfig(key, yarn()));
    assertChanged(llama, llama.withConfig(key, with(yarn(), "truncate", false)));
    assertChanged(llama, llama.withConfig(key, with(yarn(), "attention_factor", 0.7)));
    assertChanged(
        llama, llama.withConfig(key, with(with(yarn(), "mscale", 0.7), "mscale_all_dim", 0.3)));
    assertChanged(llama, llama.withConfig(key, llama3()));
    assertChanged(
        llama, llama.withConfig(key, with(with(yarn(), "rope_theta", 7.0), "beta_fast", 2)));
  }

  @Test
  void prefersTheOlderSpellingOfScaling() {
    TinyModel older =
        TinyDecoders.languageModel("llama")
            .withConfig("rope_scaling", Map.of("type", "linear", "factor", 3));
    TinyModel both = older.withConfig("rope_parameters", Map.of("rope_type", "default"));
    LogitAssertions.assertLogits(folder, both, older, WINDOWS);
    TinyModel empty =
        TinyDecoders.languageModel("llama")
            .withConfig("rope_scaling", Map.of())
            .withConfig("rope_parameters", Map.of("type", "linear", "factor", 3));
    LogitAssertions.assertLogits(folder, empty, older, WINDOWS);
  }

  private static Map<String, Object> with(Map<String, Object> options, String key, Object value) {
    Map<String, Object> changed = new LinkedHashMap<>(options);
    changed.put(key, value);
    return changed;
  }

  private static Map<String, Object> yarn() {
    return Map.of("rope_type", "yarn", "factor", 4, "original_max_position_embeddings", 64);
  }

  private static Map<String, Object> llama3() {
    return Map.of(
        "rope_type",
        "llama3",
        "factor",
        8,
        "low_freq_factor",
        1,
        "high_freq_factor",
        4,
        "original_max_position_embeddings",
        64);
  }

  @Test
  void switchesBetweenDivisorsOfPhi3ByTheLengthOfEachSequence() {
    Map<String, Object> scaling =
        Map.of("short_factor", List.of(1.0, 1.25), "long_factor", List.of(2, 5.5));
    TinyModel phi3 =
        TinyDecoders.languageModel("phi3")
            .withConfig("max_position_embeddings", 16)
            .withConfig("original_max_position_embeddings", 4);
    for (String type : List.of("longrope", "su", "yarn")) {
      assertChanged(phi3, phi3.withConfig("rope_scaling", with(scaling, "type", type)));
    }
    assertChanged(
        phi3,
        phi3.withConfig("partial_rotary_factor", 0.5)
            .withConfig(
                "rope_scaling",
                Map.of(
                    "rope_type",
                    "longrope",
                    "attention_factor",
                    1.1,
                    "short_factor",
                    List.of(1.0),
                    "long_factor",
                    List.of(3.0))));
    refuses(
        phi3.withConfig(
            "rope_scaling", with(with(scaling, "type", "longrope"), "long_factor", List.of(1))),
        CorruptException.class,
        "long_factor",
        "expected 2");
  }

  @Test
  void refusesScalingsThatItDoesNotHave() {
    TinyModel llama = TinyDecoders.languageModel("llama");
    refuses(
        llama.withConfig("rope_scaling", Map.of("type", "mrope")),
        UnsupportedException.class,
        "mrope",
        "rope_scaling");
    refuses(
        llama.withConfig(
            "rope_parameters", Map.of("full_attention", Map.of("rope_type", "default"))),
        UnsupportedException.class,
        "per type of layer");
    refuses(
        llama.withConfig("rope_scaling", Map.of("rope_type", 3)),
        UnsupportedException.class,
        "found 3");
    refuses(
        llama.withConfig("rope_scaling", Map.of("type", "linear", "factor", 0)),
        CorruptException.class,
        "factor");
    refuses(
        llama.withConfig("rope_scaling", Map.of("type", "linear")),
        NotFoundException.class,
        "factor");
  }

  @Test
  void takesLongerSequencesWhereScalingSaysHowMuch() {
    TinyModel llama = TinyDecoders.languageModel("llama");
    assertThat(positions(llama)).isEqualTo(7);
    assertThat(positions(llama.withConfig("rope_scaling", Map.of("type", "dynamic", "factor", 2))))
        .isEqualTo(14);
    assertThat(positions(llama.withConfig("rope_scaling", yarn()))).isEqualTo(256);
  }

  private int positions(TinyModel model) {
    try (Network network = load(model)) {
      return ((InputSpec.Tokens) network.input()).maxPositions();
    }
  }
}
