package dev.smelt.compress.layer;

import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LayerSelectionTest {

  @TempDir private Path folder;

  private List<Layer> layers(List<String> include, List<String> exclude) {
    Path model =
        TestCheckpoints.folder(
            folder,
            "{\"model_type\": \"gpt2\"}",
            List.of(
                random("transformer.h.0.attn.c_attn.weight", DType.BF16, 1, 4, 12),
                random("transformer.h.0.attn.c_attn.bias", DType.BF16, 2, 12),
                random("transformer.h.0.mlp.c_fc.weight", DType.F32, 3, 4, 16),
                random("transformer.h.1.mlp.c_fc.weight", DType.F32, 4, 4, 16),
                random("transformer.ids", DType.I64, 5, 3, 3),
                random("transformer.wte.weight", DType.BF16, 6, 10, 4)));
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      return new LayerSelection(include, exclude, false).layers(checkpoint);
    }
  }

  private static List<String> modules(List<Layer> layers) {
    return layers.stream().map(layer -> layer.module().replace("transformer.", "")).toList();
  }

  @Test
  void withoutPatternsAllBlockMatricesAreTaken() {
    List<Layer> layers = layers(List.of(), List.of());
    assertThat(modules(layers)).containsExactly("h.0.attn.c_attn", "h.0.mlp.c_fc", "h.1.mlp.c_fc");
    Layer attention = layers.getFirst();
    assertThat(attention.transposed()).isTrue();
    assertThat(attention.out()).isEqualTo(12);
    assertThat(attention.in()).isEqualTo(4);
    assertThat(attention.fullRank()).isEqualTo(4);
    // 16 elements per rank against 48: as many at 3.
    assertThat(attention.isSmallerAt(2)).isTrue();
    assertThat(attention.isSmallerAt(3)).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "*.mlp.*,                          , h.0.mlp.c_fc h.1.mlp.c_fc",
    "*c_fc,                            , h.0.mlp.c_fc h.1.mlp.c_fc",
    "*.h.?.mlp.c_fc.weight,     *.h.0.*, h.1.mlp.c_fc",
    "*.wte.weight,                     , wte",
    "*wte,                             , wte",
    ",                        *.h.1.*  , h.0.attn.c_attn h.0.mlp.c_fc",
    ",              *attn* *.ids       , h.0.mlp.c_fc h.1.mlp.c_fc"
  })
  void patternsChoose(String include, String exclude, String expected) {
    assertThat(modules(layers(words(include), words(exclude)))).isEqualTo(words(expected));
  }

  private static List<String> words(@Nullable String text) {
    return text == null ? List.of() : List.of(text.split(" "));
  }

  @Test
  void anEmbeddingIsStoredOutByIn() {
    Layer table = layers(List.of("*wte"), List.of()).getFirst();
    assertThat(table.transposed()).isFalse();
    assertThat(table.out()).isEqualTo(10);
  }

  @Test
  void aPatternIsNoRegularExpression() {
    for (String pattern : List.of("transformer.h.[01].*", "*.mlp.c_f", "\\E.*", "*.weight|x", "")) {
      assertRefused(List.of(pattern), List.of(), "pattern '" + pattern + "' matches no tensor");
    }
  }

  @Test
  void aPatternThatMatchesNothingIsRefused() {
    assertRefused(List.of("*.mlp.*", "*.moe.*"), List.of(), "'*.moe.*' matches no tensor");
    assertRefused(List.of(), List.of("*.moe.*"), "'*.moe.*' matches no tensor");
  }

  @Test
  void whatIsNoMatrixOfFloatsIsRefused() {
    assertRefused(
        List.of("*.c_attn.bias"),
        List.of(),
        "cannot factorize transformer.h.0.attn.c_attn.bias of " + folder,
        "found BF16 [12]",
        "narrow --include");
    assertRefused(List.of("*.ids"), List.of(), "found I64 [3,3]");
  }

  @Test
  void nothingLeftIsRefused() {
    assertRefused(List.of(), List.of("*"), "no matrix to factorize in " + folder);
  }

  @Test
  void aQuantisedMatrixAsksToBeExcluded() {
    Path file =
        TestCheckpoints.file(
            folder.resolve("m.safetensors"), List.of(random("q.weight", DType.I8, 1, 4, 4)));
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThatThrownBy(() -> new LayerSelection(List.of(), List.of(), false).layers(checkpoint))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("found I8 [4,4]")
          .hasMessageContaining("--exclude q.weight");
    }
  }

  private void assertRefused(List<String> include, List<String> exclude, String... messages) {
    assertThatThrownBy(() -> layers(include, exclude))
        .isInstanceOf(UsageException.class)
        .satisfies(
            refusal -> {
              for (String message : messages) {
                assertThat(refusal).hasMessageContaining(message);
              }
            });
  }
}
