package dev.smelt.formats.torch;

import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import dev.smelt.formats.testing.TestZip;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScriptModuleTest {

  private static final String NET =
      """
      class Net(Module):
        __parameters__ = []
        __buffers__ = ["scale", ]
        scale : Tensor
        state : Tensor
        layer : __torch__.inner.Layer
      """;

  private static final String LAYER =
      """
      class Layer(Module):
        __parameters__ = ["weight", "bias", ]
        __buffers__ = []
        weight : Tensor
        bias : Optional[Tensor]
      """;

  private static final TestTensor WEIGHT = TestTensors.f32("layer.weight", Shape.of(2, 1), 1, 2);
  private static final TestTensor SCALE = TestTensors.f32("scale", Shape.of(1), 3);
  private static final TestTensor STATE = TestTensors.f32("state", Shape.of(2), 4, 5);
  private static final TestTorch FILE = TestTorch.of(List.of(WEIGHT, SCALE, STATE));

  @TempDir Path temp;

  /** A module with a layer, a buffer, a state and plain values. */
  private static byte[] pickle() {
    PickleAssembler pickle = PickleAssembler.start();
    pickle.global("__torch__", "Net").ops(")").raw(0x81).ops("}(");
    pickle.text("training").bool(false).text("sizes");
    pickle.global("torch.jit._pickle", "build_intlist").ops("](").whole(8).ops("e").raw(0x85);
    pickle.ops("R").text("layer");
    pickle.global("__torch__.inner", "Layer").ops(")").raw(0x81).ops("}(").text("weight");
    FILE.putTensor(pickle, 0).text("bias").ops("Nub").text("scale");
    FILE.putTensor(pickle, 1).text("state");
    return FILE.putTensor(pickle, 2).ops("ub").stop();
  }

  /** The whole archive, sound. */
  static byte[] archive() {
    return archive(NET, LAYER);
  }

  private static byte[] archive(String net, String layer) {
    TestZip zip = TestTorch.head(pickle());
    zip.stored(TestTorch.FOLDER + "code/__torch__.py", net);
    zip.deflated(
        TestTorch.FOLDER + "code/__torch__/inner.py", layer.getBytes(StandardCharsets.UTF_8));
    zip.stored(TestTorch.FOLDER + "constants.pkl", PickleAssembler.start().ops(")").stop());
    return FILE.addStorages(zip).bytes();
  }

  private Path write(String net, String layer) {
    return TestCheckpoints.write(temp.resolve("net.pt"), archive(net, layer));
  }

  @Test
  void parametersAndBuffersAreTheCheckpoint() {
    try (Checkpoint checkpoint = Checkpoint.open(write(NET, LAYER))) {
      assertHolds(checkpoint, List.of(WEIGHT, SCALE));
      assertThat(checkpoint.kind()).isEqualTo("TorchScript file");
      assertThat(checkpoint.metadata()).containsOnly(Map.entry("left out: state", "a tensor"));
    }
  }

  @Test
  void oldClassesThatListNoBuffersGiveAllTheirTensors() {
    String old = NET.replaceFirst("  __buffers__.*\n", "");
    try (Checkpoint checkpoint = Checkpoint.open(write(old, LAYER))) {
      assertHolds(checkpoint, List.of(WEIGHT, SCALE, STATE));
    }
  }

  @Test
  void aModuleOfConstantsIsRefused() {
    String frozen = NET.replace("\"scale\", ", "");
    String inner = LAYER.replace("\"weight\", \"bias\", ", "");
    Path path = write(frozen, inner);
    assertThatThrownBy(() -> Checkpoint.open(path))
        .isExactlyInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll(path.toString(), "without parameters", "frozen");
  }
}
