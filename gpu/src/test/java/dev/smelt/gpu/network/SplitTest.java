package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Compressed;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks whose fused matrices are stored in parts. */
class SplitTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);

  @TempDir private Path folder;

  private static TinyModel model(String type) {
    return type.equals("gpt2") ? TinyModels.gpt2() : TinyDecoders.languageModel(type);
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "phi3", "gpt_neox"})
  void partsAreTheMatrixTheyStandFor(String type) {
    for (boolean reversed : new boolean[] {false, true}) {
      Compressed parts = Compressed.parts(model(type), reversed);
      TinyModel dense = parts.dense(parts.stored());
      LogitAssertions.assertLogits(folder, parts.stored(), dense, WINDOWS);
    }
  }

  @Test
  void refusesPartsOfAnotherMatrix() {
    TinyModel stored = Compressed.parts(TinyModels.gpt2(), false).stored();
    List<Map<String, Object>> parts =
        List.of(
            Map.of("name", "q", "rows", List.of(0, 8, 8, 1), "rank", 3),
            Map.of("name", "v", "rows", List.of(8, 8, 8, 1), "rank", 3));
    Map<String, Object> two =
        Map.of("transformer.h.0.attn.c_attn", Map.of("parts", parts, "transposed", true));
    assertThatThrownBy(() -> load(stored.withConfig("low_rank_modules", two)))
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("transformer.h.0.attn.c_attn", "expected 24 rows", "16");
  }

  @Test
  void refusesAPartThatIsMissingOrThereTwice() {
    TinyModel stored = Compressed.parts(TinyModels.gpt2(), false).stored();
    String module = "transformer.h.1.attn.c_attn";
    assertThatThrownBy(() -> load(stored.without(module + ".k.weight")))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining(module + ".k.weight");
    TinyModel.Tensor whole = TinyModels.gpt2().tensor(module + ".weight");
    assertThatThrownBy(() -> load(stored.withTensor(module + ".weight", whole)))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining(module + ".weight");
    TinyModel.Tensor part = stored.tensor(module + ".k.weight");
    assertThatThrownBy(() -> load(stored.withTensor(module + ".v.weight", part)))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining(module + ".v.weight");
  }

  private void load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      Network.load(checkpoint, TestDevice.get()).close();
    }
  }
}
