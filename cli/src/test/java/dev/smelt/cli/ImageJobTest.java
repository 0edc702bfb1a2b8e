package dev.smelt.cli;

import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Images from the command line: measured, and never spoken of in tokens. */
class ImageJobTest {

  private static final String CONFIG =
      """
      {"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 4,
       "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 6, "image_size": 8,
       "patch_size": 4, "id2label": {"0": "cat", "1": "dog"}}
      """;

  @TempDir private Path folder = Path.of("");
  private Path model = Path.of("");
  private Path images = Path.of("");
  private final List<TestTensor> tensors = new ArrayList<>();

  @BeforeEach
  void makeModelAndImages() throws IOException {
    add("vit.embeddings.cls_token", 1, 1, 4);
    add("vit.embeddings.position_embeddings", 1, 5, 4);
    add("vit.embeddings.patch_embeddings.projection.weight", 4, 3, 4, 4);
    add("vit.embeddings.patch_embeddings.projection.bias", 4);
    String layer = "vit.encoder.layer.0.";
    for (String part : List.of("attention.query", "attention.key", "attention.value")) {
      linear(layer + "attention." + part, 4, 4);
    }
    linear(layer + "attention.output.dense", 4, 4);
    linear(layer + "intermediate.dense", 6, 4);
    linear(layer + "output.dense", 4, 6);
    for (String norm : List.of(layer + "layernorm_before", layer + "layernorm_after")) {
      add(norm + ".weight", 4);
      add(norm + ".bias", 4);
    }
    add("vit.layernorm.weight", 4);
    add("vit.layernorm.bias", 4);
    linear("classifier", 2, 4);
    model = TestCheckpoints.folder(folder.resolve("vit"), CONFIG, tensors);
    images = folder.resolve("images");
    for (int i = 0; i < 6; i++) {
      BufferedImage image = new BufferedImage(10, 8, BufferedImage.TYPE_3BYTE_BGR);
      for (int at = 0; at < 80; at++) {
        image.setRGB(at % 10, at / 10, 0x10305 * at * (i + 1));
      }
      ByteArrayOutputStream png = new ByteArrayOutputStream();
      assertThat(ImageIO.write(image, "png", png)).isTrue();
      String name = (i % 2 == 0 ? "dog/" : "cat/") + i + ".png";
      TestCheckpoints.write(images.resolve(name), png.toByteArray());
    }
  }

  private void add(String name, long... sizes) {
    tensors.add(TestTensors.random(name, DType.F32, tensors.size(), sizes));
  }

  private void linear(String module, long out, long in) {
    add(module + ".weight", out, in);
    add(module + ".bias", out);
  }

  @Test
  void evaluates() {
    Run run = smelt("eval", model, "--data", images, "--size", "8").done();
    assertThat(run.out()).contains("nats per example", "of the class", "examples    6\n");
    assertThat(run.out()).contains("examples/s").doesNotContain("token", "perplexity");
    JsonNode json = smelt("eval", model, "--data", images, "--size", "8", "--json").json();
    assertThat(json.path("examples").intValue()).isEqualTo(6);
    assertThat(json.has("tokens")).isFalse();
    assertThat(json.has("perplexity")).isFalse();
    String normalize = "0.5,0.5,0.5/0.25,0.25,0.25";
    JsonNode other =
        smelt("eval", model, "--data", images, "--size", "8", "--normalize", normalize, "--json")
            .json();
    assertThat(other.path("loss").doubleValue()).isNotEqualTo(json.path("loss").doubleValue());
  }

  @Test
  void computesStatistics() {
    Path file = folder.resolve("f.safetensors");
    Run run = smelt("fisher", model, "--data", images, "--size", "8", "-o", file).done();
    assertThat(run.out()).contains("6 examples").doesNotContain("token");
    try (Checkpoint written = Checkpoint.open(file)) {
      assertThat(written.metadata()).doesNotContainKey("tokens");
      assertThat(written.tensor("diag/vit.embeddings.cls_token").shape().rank()).isEqualTo(3);
    }
  }

  @Test
  void compares() {
    Path small = folder.resolve("small");
    smelt("factorize", model, "--keep", "0.9", "--allow-larger", "-o", small).done();
    Run run = smelt("diff", model, small, "--data", images, "--size", "8x8").done();
    assertThat(run.out()).contains("images: 6 examples").doesNotContain("token");
  }

  @Test
  void refusesImagesOfTheWrongSize() {
    smelt("eval", model, "--data", images)
        .refused(ExitCode.BAD_INPUT, "cat/1.png", "expected 8x8, found 8x10", "--size 8x8");
    smelt("eval", model, "--data", images, "--size", "8", "--seq-len", "4")
        .refused(ExitCode.USAGE, "--seq-len has no effect on");
  }
}
