package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Sharing;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/** gpt2-drama with two of its matrices replaced or changed by random factors with one basis. */
final class ByHand {

  static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  static final int RANK = 5;

  /** W of a module is [INNER, WIDTH], stored the other way round. */
  static final int WIDTH = 192;

  static final int INNER = 768;
  static final List<String> MODULES =
      List.of("transformer.h.0.mlp.c_fc", "transformer.h.1.mlp.c_fc");

  private ByHand() {}

  /**
   * @param delta whether factors are changes of the matrices, which then stay
   */
  static void write(Path model, boolean delta) throws IOException {
    SequencedMap<String, LowRank.Entry> modules = new LinkedHashMap<>();
    List<TestTensor> tensors = new ArrayList<>();
    Basis basis = new Basis(3);
    tensors.add(TestTensors.random(basis.name(), DType.F32, 1, INNER, RANK));
    for (String module : MODULES) {
      modules.put(module, new LowRank.Module(RANK, true, new Sharing.OfA(basis), delta));
      tensors.add(
          TestTensors.random(LowRank.factorB(module), DType.BF16, module.hashCode(), RANK, WIDTH));
    }
    try (Checkpoint checkpoint = Checkpoint.open(DRAMA)) {
      checkpoint.tensors().stream()
          .filter(
              view -> delta || MODULES.stream().noneMatch(m -> view.name().equals(m + ".weight")))
          .map(TestTensors::of)
          .map(tensor -> delta ? tensor : withBiasOfA(tensor))
          .forEach(tensors::add);
      String config =
          new LowRank(modules).describe(checkpoint.config().orElseThrow(), "plain").toJson();
      TestCheckpoints.folder(model, config, tensors);
    }
    Files.copy(DRAMA.resolve("tokenizer.json"), model.resolve("tokenizer.json"));
  }

  private static TestTensor withBiasOfA(TestTensor tensor) {
    return MODULES.stream()
        .filter(module -> tensor.name().equals(module + ".bias"))
        .map(module -> tensor.renamed(LowRank.bias(module)))
        .findFirst()
        .orElse(tensor);
  }

  static double loss(Path path) {
    Path data = TESTDATA.resolve("text/drama.val.txt");
    return smelt("eval", path, "--data", data, "--seq-len", 32, "--samples", 4, "--json")
        .json()
        .path("loss")
        .doubleValue();
  }
}
