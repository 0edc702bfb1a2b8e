package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.plain.PlainNetwork;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What networks tell a tape of the states between their blocks. */
class HiddenStatesTest {

  private static final int WIDTH = 8;
  private static final double TOLERANCE = 1e-5;

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);

  @TempDir private Path folder;

  private List<float[]> states(TinyModel model, List<Example> examples) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder.resolve("model")));
        Network network = Network.load(checkpoint, TestDevice.get());
        NDManager manager = network.device().scope()) {
      Tape tape = Tape.recording();
      var _ = network.model().logits(manager, Batch.of(0, examples), tape);
      return tape.hidden().stream().map(NDArray::toFloatArray).toList();
    }
  }

  /** Those of a network are those behind the last block of one that ends there. */
  @Test
  void areThoseOfShorterNetworks() {
    List<TinyModel> models = new ArrayList<>();
    List<Example> labelled = TestData.labelled(5, 1, 7);
    TinyDecoders.FAMILIES.forEach(family -> models.add(TinyDecoders.languageModel(family)));
    models.add(TinyModels.gpt2());
    models.add(TinyModels.bert());
    models.add(TinyEncoders.roberta());
    models.add(TinyEncoders.distilBert());
    models.add(TinyEncoders.vit());
    for (TinyModel model : models) {
      String type = (String) model.config("model_type", "");
      List<Example> examples =
          type.equals("vit")
              ? TinyEncoders.images(3)
              : model.has("classifier.weight") || type.equals("roberta") ? labelled : WINDOWS;
      String key =
          switch (type) {
            case "gpt2" -> "n_layer";
            case "distilbert" -> "n_layers";
            default -> "num_hidden_layers";
          };
      List<float[]> whole = states(model, examples);
      List<float[]> half = states(model.withConfig(key, 1), examples);
      assertThat(whole).as(type).hasSize(3);
      assertThat(half).as(type).hasSize(2);
      assertThat(half.get(0)).as(type).isEqualTo(whole.get(0));
      assertThat(half.get(1)).as(type).isEqualTo(whole.get(1));
      assertThat(whole.get(2)).as(type).isNotEqualTo(whole.get(1));
    }
  }

  /** Behind the last norm, they are the logits of a network whose output matrix is I. */
  @Test
  void areThoseOfPlainJavaBeforeTheLastNorm() {
    double[] identity = new double[TinyModels.VOCABULARY * WIDTH];
    for (int i = 0; i < WIDTH; i++) {
      identity[i * WIDTH + i] = 1;
    }
    TinyModel open =
        TinyModels.gpt2()
            .withConfig("tie_word_embeddings", false)
            .withTensor(
                "lm_head.weight", new Tensor(Shape.of(TinyModels.VOCABULARY, WIDTH), identity));
    double[] scale = open.tensor("transformer.ln_f.weight").values();
    double[] shift = open.tensor("transformer.ln_f.bias").values();
    for (Example example : WINDOWS) {
      List<float[]> states = states(open, List.of(example));
      double[][] logits = PlainNetwork.logits(open, example);
      for (int t = 0; t < logits.length; t++) {
        double[] x = new double[WIDTH];
        double mean = 0;
        for (int i = 0; i < WIDTH; i++) {
          x[i] = states.get(2)[t * WIDTH + i];
          mean += x[i] / WIDTH;
        }
        double variance = 0;
        for (double value : x) {
          variance += (value - mean) * (value - mean) / WIDTH;
        }
        for (int i = 0; i < WIDTH; i++) {
          double normed = (x[i] - mean) / Math.sqrt(variance + 1e-5) * scale[i] + shift[i];
          assertThat(normed).isCloseTo(logits[t][i], within(TOLERANCE));
        }
      }
    }
  }

  @Test
  void areNotKeptWithoutARecordingTape() {
    Tape off = Tape.off();
    try (NDManager manager = TestDevice.get().torch().scope()) {
      off.hidden(0, manager.zeros(new ai.djl.ndarray.types.Shape(1, 1, 1)));
    }
    assertThat(off.hidden()).isEmpty();
  }
}
