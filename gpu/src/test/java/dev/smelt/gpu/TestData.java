package dev.smelt.gpu;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;

/** Examples for tiny models, and the repository's own data. */
public final class TestData {

  private TestData() {}

  /** A file or folder of the repository's test data. */
  public static Path path(String name) {
    return Path.of(System.getProperty("smelt.testdata")).resolve(name);
  }

  /** Windows of random tokens of these lengths. */
  public static List<Example> windows(int... lengths) {
    Random random = new Random(7);
    List<Example> examples = new ArrayList<>();
    for (int length : lengths) {
      examples.add(new Example.Window(tokens(random, length), tokens(random, length)));
    }
    return examples;
  }

  /** Labelled sequences of random tokens of these lengths, the second half of each a segment 1. */
  public static List<Example> labelled(int... lengths) {
    Random random = new Random(8);
    List<Example> examples = new ArrayList<>();
    for (int length : lengths) {
      int[] segments = new int[length];
      for (int t = (length + 1) / 2; t < length; t++) {
        segments[t] = 1;
      }
      int label = random.nextInt(TinyModels.CLASSES);
      examples.add(new Example.Labelled(tokens(random, length), segments, label));
    }
    return examples;
  }

  /** Sequences of these lengths with every other token hidden, the second half a segment 1. */
  public static List<Example> masked(int... lengths) {
    Random random = new Random(9);
    List<Example> examples = new ArrayList<>();
    for (int length : lengths) {
      int[] segments = new int[length];
      int[] targets = new int[length];
      for (int t = 0; t < length; t++) {
        segments[t] = t < (length + 1) / 2 ? 0 : 1;
        targets[t] = t % 2 == 0 ? random.nextInt(TinyModels.VOCABULARY) : Batch.NO_TARGET;
      }
      examples.add(new Example.Masked(tokens(random, length), segments, targets));
    }
    return examples;
  }

  /** Random images of this shape. */
  public static List<Example> images(int count, long... sizes) {
    Random random = new Random(10);
    Shape shape = Shape.of(sizes);
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      float[] values = new float[(int) shape.elements()];
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextGaussian();
      }
      examples.add(
          new Example.Values(
              shape,
              (target, at) -> System.arraycopy(values, 0, target, at, values.length),
              random.nextInt(TinyModels.CLASSES)));
    }
    return examples;
  }

  private static int[] tokens(Random random, int length) {
    return random.ints(length, 0, TinyModels.VOCABULARY).toArray();
  }

  /** Tokens of an example. */
  public static int length(Example example) {
    return example instanceof Example.Sequence sequence ? sequence.length() : 0;
  }

  public static Dataset dataset(List<Example> examples) {
    Task task =
        switch (examples.getFirst()) {
          case Example.Window _ -> Task.LANGUAGE_MODELING;
          case Example.Masked _ -> Task.MASKED_LANGUAGE_MODELING;
          case Example.Labelled _, Example.Values _ -> Task.CLASSIFICATION;
        };
    OptionalInt seqLen = OptionalInt.of(TinyModels.POSITIONS);
    return new Dataset(Path.of("memory"), "", task, examples, seqLen, 0);
  }
}
