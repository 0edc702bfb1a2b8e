package dev.smelt.bench;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Runs one measurement by name and prints it as Markdown. */
public final class Bench {

  private static final String USAGE =
      """
      usage: bench startup LAUNCHER TESTDATA
             bench golden MODELS TEXT REFERENCE
             bench tensors REAL REFERENCE
             bench fisher TESTDATA DEVICE
             bench factorize
             bench cluster
             bench pack
             bench memory LAUNCHER
             bench script REAL IMAGES
             bench accuracy MODELS TEXT
             bench causal MODELS TEXT
             bench sharing MODELS TEXT
             bench zoo MODELS TEXT
             bench images REAL IMAGES
             bench dampen MODELS TEXT
             bench prune MODELS TEXT [MODEL...]
             bench prune-structure MODELS TEXT [MODEL...]
             bench prune-recovery MODELS TEXT [MODEL...]
             bench prune-images REAL IMAGES
             bench prune-speed
             bench merge LAUNCHER
             bench merge-quality MODELS TEXT
      """;

  private Bench() {}

  public static void main(String[] arguments) {
    Locale.setDefault(Locale.ROOT);
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    List<String> words = List.of(arguments);
    if (words.size() == 3 && words.getFirst().equals("startup")) {
      new StartupBench(Path.of(words.get(1)), Path.of(words.get(2)), out).run();
    } else if (words.size() == 3 && words.getFirst().equals("fisher")) {
      FisherBench.run(Path.of(words.get(1)), words.get(2), out);
    } else if (words.size() == 3 && words.getFirst().equals("script")) {
      ScriptBench.run(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 3 && words.getFirst().equals("accuracy")) {
      AccuracyBench.run(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 3 && words.getFirst().equals("causal")) {
      AccuracyBench.causal(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 3 && words.getFirst().equals("sharing")) {
      SharingBench.run(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 3 && words.getFirst().equals("zoo")) {
      ZooBench.run(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 3 && words.getFirst().equals("images")) {
      AccuracyBench.images(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 3 && words.getFirst().equals("dampen")) {
      DampenBench.run(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() >= 3 && words.getFirst().equals("prune")) {
      List<String> some = words.subList(3, words.size());
      PruneBench.run(
          Path.of(words.get(1)),
          Path.of(words.get(2)),
          some.isEmpty() ? PruneBench.MODELS : some,
          out);
    } else if (words.size() >= 3 && words.getFirst().equals("prune-structure")) {
      PruneStructureBench.run(Path.of(words.get(1)), Path.of(words.get(2)), causal(words), out);
    } else if (words.size() >= 3 && words.getFirst().equals("prune-recovery")) {
      PruneRecoveryBench.run(Path.of(words.get(1)), Path.of(words.get(2)), causal(words), out);
    } else if (words.size() == 3 && words.getFirst().equals("prune-images")) {
      PruneBench.images(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 1 && words.getFirst().equals("prune-speed")) {
      PruneSpeedBench.run(out);
    } else if (words.size() == 3 && words.getFirst().equals("merge-quality")) {
      MergeQualityBench.run(Path.of(words.get(1)), Path.of(words.get(2)), out);
    } else if (words.size() == 2 && words.getFirst().equals("merge")) {
      MergeSpeedBench.run(Path.of(words.get(1)), out);
    } else if (words.size() == 1 && words.getFirst().equals("factorize")) {
      FactorizeBench.run(out);
    } else if (words.size() == 1 && words.getFirst().equals("cluster")) {
      ClusterBench.run(out);
    } else if (words.size() == 1 && words.getFirst().equals("pack")) {
      PackBench.run(out);
    } else if (words.size() == 2 && words.getFirst().equals("memory")) {
      MemoryBench.run(Path.of(words.get(1)), out);
    } else if (words.size() == 4 && words.getFirst().equals("golden")) {
      new GoldenBench(Path.of(words.get(1)), Path.of(words.get(2)), Path.of(words.get(3)), out)
          .run();
    } else if (words.size() == 3 && words.getFirst().equals("tensors")) {
      new TensorBench(Path.of(words.get(1)), Path.of(words.get(2)), out).run();
    } else {
      System.err.print(USAGE);
      System.exit(2);
    }
  }

  private static List<String> causal(List<String> words) {
    return words.size() > 3 ? words.subList(3, words.size()) : List.of("gpt2-drama", "llama-drama");
  }
}
