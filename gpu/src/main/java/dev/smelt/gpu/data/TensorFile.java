package dev.smelt.gpu.data;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.huggingface.SafetensorsCheckpoint;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.gpu.data.DataOptions.Special;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A .safetensors file of examples.
 *
 * <table>
 * <caption>Tensors</caption>
 * <tr><th>name</th><th>shape</th><th>type</th></tr>
 * <tr><td>{@code inputs}, or any if it is the only one of floats</td><td>[N, …]</td><td>floats</td>
 * </tr>
 * <tr><td>or {@code input_ids}</td><td>[N, T]</td><td>integers</td></tr>
 * <tr><td>{@code labels}; not for language models</td><td>[N]</td><td>integers</td></tr>
 * </table>
 */
final class TensorFile {

  private static final String INPUTS = "inputs";
  private static final String INPUT_IDS = "input_ids";
  private static final String LABELS = "labels";

  private final Path file;
  private final Checkpoint tensors;
  private final InputSpec input;
  private final DataOptions options;
  private final ClassIndex classes;
  private long truncated;

  private TensorFile(Path file, Checkpoint tensors, InputSpec input, DataOptions options) {
    this.file = file;
    this.tensors = tensors;
    this.input = input;
    this.options = options;
    this.classes = new ClassIndex(input.labels());
  }

  static Dataset read(Path file, InputSpec input, DataOptions options) {
    try (Checkpoint tensors = SafetensorsCheckpoint.openFile(file)) {
      TensorFile data = new TensorFile(file, tensors, input, options);
      return tensors.find(INPUT_IDS).map(data::sequences).orElseGet(data::values);
    }
  }

  private Dataset values() {
    if (input instanceof InputSpec.Tokens tokens) {
      throw new UsageException(
          "tensors for a network that does " + tokens.task() + " of text [" + file + "]",
          "give " + INPUT_IDS + " [N, T]");
    }
    options.requireEffect(file.toString(), EnumSet.noneOf(Special.class));
    TensorView inputs = inputs();
    requireOnly(inputs.name(), LABELS);
    Shape all = inputs.shape();
    if (all.rank() < 2 || !inputs.dtype().isFloat()) {
      throw wrong(inputs, "floats [N, …]");
    }
    Shape shape = Shape.of(all.sizes().skip(1).toArray());
    if (input instanceof InputSpec.Images images
        && !shape.equals(Shape.of(images.channels(), images.height(), images.width()))) {
      throw wrong(
          inputs, "[N," + images.channels() + "," + images.height() + "," + images.width() + "]");
    }
    long[] labels = labels(all.size(0)).orElseThrow(this::unlabelled);
    String name = inputs.name();
    List<Example> examples = new ArrayList<>();
    for (int i : Selection.of(labels.length, options, file.toString())) {
      int label = classes.of(labels[i], where(LABELS, i));
      examples.add(new Example.Values(shape, (target, at) -> copy(name, i, target, at), label));
    }
    return dataset(Task.CLASSIFICATION, examples, OptionalInt.empty());
  }

  /** The file is opened for each example, so that none has to be closed by whoever reads them. */
  private void copy(String name, int example, float[] target, int at) {
    try (Checkpoint opened = SafetensorsCheckpoint.openFile(file)) {
      TensorView view = opened.tensor(name);
      float[] values = new float[Math.toIntExact(view.elements() / view.shape().size(0))];
      view.read((long) example * values.length, values.length, values);
      for (int i = 0; i < values.length; i++) {
        if (!Float.isFinite(values[i])) {
          throw new NonFiniteException(
              "input is not finite", where(name, example), "element " + i + " is " + values[i], "");
        }
      }
      System.arraycopy(values, 0, target, at, values.length);
    }
  }

  private TensorView inputs() {
    List<TensorView> floats =
        tensors.tensors().stream().filter(tensor -> tensor.dtype().isFloat()).toList();
    return tensors
        .find(INPUTS)
        .or(() -> floats.size() == 1 ? Optional.of(floats.getFirst()) : Optional.empty())
        .orElseThrow(
            () ->
                new NotFoundException(
                    "no inputs",
                    file.toString(),
                    "expected a tensor '" + INPUTS + "' or '" + INPUT_IDS + "'",
                    ""));
  }

  private Dataset sequences(TensorView all) {
    if (input instanceof InputSpec.Images) {
      throw new UsageException(
          "sequences for a network of images [" + file + "]", "give " + INPUTS + " [N, C, H, W]");
    }
    options.requireEffect(file.toString(), EnumSet.of(Special.SEQ_LEN));
    requireOnly(INPUT_IDS, LABELS);
    if (!all.shape().isMatrix() || !Integers.isInteger(all.dtype())) {
      throw wrong(all, "integers [N, T]");
    }
    Optional<long[]> labels = labels(all.shape().size(0));
    Task task = labels.isPresent() ? Task.CLASSIFICATION : Task.LANGUAGE_MODELING;
    InputSpec.Tokens tokens =
        switch (input) {
          case InputSpec.Tokens known -> known;
          case InputSpec.Open open -> open.tokens(task);
          case InputSpec.Images _ -> throw new IllegalStateException("refused above");
        };
    requireTask(tokens.task(), task);
    int seqLen = TextFile.seqLen(tokens, options);
    TokenIds ids = new TokenIds(tokens.vocabularySize(), seqLen);
    List<Example> examples = new ArrayList<>();
    int rows = Math.toIntExact(all.shape().size(0));
    for (int i : Selection.of(rows, options, file.toString())) {
      int[] row = Integers.row(all, i, where(INPUT_IDS, i));
      examples.add(
          labels.isPresent()
              ? ids.labelled(
                  row, classes.of(labels.get()[i], where(LABELS, i)), where(INPUT_IDS, i))
              : window(ids, row, seqLen, where(INPUT_IDS, i)));
    }
    OptionalInt longest =
        input instanceof InputSpec.Open ? options.seqLen() : OptionalInt.of(seqLen);
    return dataset(task, examples, longest);
  }

  private Example window(TokenIds ids, int[] row, int seqLen, String where) {
    ids.requireKnown(row, where);
    Example.Window window = Windows.continuation(row, seqLen, where);
    truncated += window.length() < row.length - 1 ? 1 : 0;
    return window;
  }

  private void requireTask(Task networks, Task data) {
    if (networks == Task.MASKED_LANGUAGE_MODELING) {
      throw new UnsupportedException(
          "token ids for masked language modelling",
          file.toString(),
          "which of them may be hidden only a tokenizer can tell",
          "give .txt, or .jsonl with {\"text\"}");
    }
    if (networks != data) {
      throw new UsageException(
          "data for " + data + ", but the network does " + networks + " [" + file + "]",
          networks == Task.CLASSIFICATION ? "add labels [N]" : "leave out labels");
    }
  }

  private Optional<long[]> labels(long examples) {
    return tensors
        .find(LABELS)
        .map(
            labels -> {
              if (!labels.shape().equals(Shape.of(examples))
                  || !Integers.isInteger(labels.dtype())) {
                throw wrong(labels, "integers [" + examples + "]");
              }
              return Integers.all(labels);
            });
  }

  private NotFoundException unlabelled() {
    return new NotFoundException(
        "no labels", file.toString(), "expected a tensor '" + LABELS + "' of integers [N]", "");
  }

  /** What is not understood might be a mask or a weight that changes what the data mean. */
  private void requireOnly(String... known) {
    for (TensorView tensor : tensors.tensors()) {
      if (!List.of(known).contains(tensor.name())) {
        throw new UnsupportedException(
            "unknown tensor in data",
            file + "|" + tensor.name(),
            "expected only " + String.join(" and ", known),
            "take it out");
      }
    }
  }

  private MismatchException wrong(TensorView tensor, String expected) {
    return new MismatchException(
        "tensor of the wrong shape or type",
        file + "|" + tensor.name(),
        "expected " + expected + ", found " + tensor.dtype().label() + " " + tensor.shape(),
        "");
  }

  private String where(String tensor, int row) {
    return file + "|" + tensor + "[" + row + "]";
  }

  private Dataset dataset(Task task, List<Example> examples, OptionalInt seqLen) {
    return new Dataset(file, Hashing.sha256(file), task, examples, seqLen, truncated);
  }
}
