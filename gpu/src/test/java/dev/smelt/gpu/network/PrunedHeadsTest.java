package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks whose config lists heads as gone, against ones in which these heads add nothing. */
class PrunedHeadsTest {

  private static final int WIDTH = 8;
  private static final int HEAD = 4;

  @TempDir private Path folder;

  @Test
  void gpt2() {
    TinyModel whole = TinyModels.gpt2();
    TinyModel cut =
        rows(
            rows(
                rows(whole, "transformer.h.1.attn.c_proj.weight", heads(1, 1)),
                "transformer.h.1.attn.c_attn.bias",
                heads(1, 3)),
            "transformer.h.1.attn.c_attn.weight",
            heads(1, 3),
            1);
    TinyModel silent = whole.copy();
    double[] out = silent.tensor("transformer.h.1.attn.c_proj.weight").values();
    java.util.Arrays.fill(out, 0, HEAD * WIDTH, 0);
    LogitAssertions.assertLogits(
        folder,
        cut.withConfig("pruned_heads", Map.of("1", List.of(0))),
        silent,
        TestData.windows(7, 3));
  }

  @Test
  void bert() {
    TinyModel whole = TinyModels.bert();
    TinyModel cut = whole;
    String layer = "bert.encoder.layer.0.attention.";
    for (String part : List.of("query", "key", "value")) {
      cut = rows(cut, layer + "self." + part + ".weight", heads(0, 1));
      cut = rows(cut, layer + "self." + part + ".bias", heads(0, 1));
    }
    cut = rows(cut, layer + "output.dense.weight", heads(0, 1), 1);
    TinyModel silent = whole.copy();
    double[] out = silent.tensor(layer + "output.dense.weight").values();
    for (int i = 0; i < out.length; i++) {
      out[i] = i % WIDTH < HEAD ? out[i] : 0;
    }
    LogitAssertions.assertLogits(
        folder,
        cut.withConfig("pruned_heads", Map.of("0", List.of(1), "1", List.of())),
        silent,
        TestData.labelled(7, 3));
  }

  /** Where head {@code head} of each of so many parts lies. */
  private static int[] heads(int head, int parts) {
    return IntStream.range(0, parts)
        .flatMap(part -> IntStream.range(0, HEAD).map(i -> part * WIDTH + head * HEAD + i))
        .toArray();
  }

  private static TinyModel rows(TinyModel model, String name, int[] kept) {
    return rows(model, name, kept, 0);
  }

  private static TinyModel rows(TinyModel model, String name, int[] kept, int axis) {
    Tensor tensor = model.tensor(name);
    int columns = tensor.shape().rank() == 1 ? 1 : (int) tensor.shape().size(1);
    int rows = tensor.values().length / columns;
    double[] values =
        axis == 0
            ? IntStream.of(kept)
                .boxed()
                .flatMapToDouble(
                    row ->
                        IntStream.range(0, columns)
                            .mapToDouble(i -> tensor.values()[row * columns + i]))
                .toArray()
            : IntStream.range(0, rows)
                .boxed()
                .flatMapToDouble(
                    row -> IntStream.of(kept).mapToDouble(i -> tensor.values()[row * columns + i]))
                .toArray();
    Shape shape =
        tensor.shape().rank() == 1
            ? Shape.of(kept.length)
            : axis == 0 ? Shape.of(kept.length, columns) : Shape.of(rows, kept.length);
    return model.withTensor(name, new Tensor(shape, values));
  }

  @Test
  void shapesMustBeThoseOfTheHeadsThatAreLeft() {
    assertThatThrownBy(
            () -> load(TinyModels.gpt2().withConfig("pruned_heads", Map.of("0", List.of(1)))))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("expected [8,12] from config.json, found [8,24]");
    assertThatThrownBy(
            () -> load(TinyModels.gpt2().withConfig("pruned_heads", Map.of("0", List.of(0, 1)))))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("none of its 2 heads left");
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "gemma2", "phi3", "gpt_neox"})
  void familiesThatCannotLackHeadsRefuseThem(String type) {
    TinyModel model = TinyDecoders.languageModel(type);
    assertThatThrownBy(() -> load(model.withConfig("pruned_heads", Map.of("0", List.of(1)))))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("pruned_heads not supported");
    load(model.withConfig("pruned_heads", Map.of()));
  }

  private void load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      Network.load(checkpoint, TestDevice.get()).close();
    }
  }
}
