package dev.smelt.gpu.data;

import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Hashing;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Examples for a network, in file order.
 *
 * @param file where they come from
 * @param sha256 of that file, in lower-case hex
 * @param task what is to be predicted of them
 * @param examples at least one
 * @param seqLen the longest an example could be, in tokens; empty where examples are no sequences
 * @param truncated how many of the examples were cut to that
 */
public record Dataset(
    Path file,
    String sha256,
    Task task,
    List<Example> examples,
    OptionalInt seqLen,
    long truncated) {

  public Dataset {
    examples = List.copyOf(examples);
    if (examples.isEmpty()) {
      throw new UsageException("no examples in " + file, "give a longer file");
    }
  }

  /**
   * Reads a file by its ending:
   *
   * <ul>
   *   <li>{@code .txt}, for language models: window i has the inputs from token i·T on, T of them,
   *       and as targets the same shifted by one; a last window that is not full is dropped;
   *   <li>{@code .jsonl}, an object per line: {@code {"text"}} for language models, each line a
   *       text of its own; {@code {"text", "label"}}, {@code {"text", "pair", "label"}} or {@code
   *       {"input_ids", "label"}} for classifiers; other keys do not matter;
   *   <li>{@code .tsv}, for classifiers: text, TAB, label.
   * </ul>
   *
   * <p>A label is the index or the name of a class.
   *
   * @throws UsageException when file and network do not go together
   * @throws dev.smelt.formats.BadInputException naming file and line
   */
  public static Dataset read(Path file, Tokenizer tokenizer, InputSpec input, DataOptions options) {
    if (!(input instanceof InputSpec.Tokens tokens)) {
      throw new UnsupportedException("unknown kind of data", file.toString(), "", "");
    }
    int seqLen = options.seqLen().orElse(tokens.maxPositions());
    if (seqLen > tokens.maxPositions()) {
      throw new UsageException(
          "--seq-len "
              + seqLen
              + " is beyond the network's "
              + tokens.maxPositions()
              + " positions",
          "use at most " + tokens.maxPositions());
    }
    String name = file.toString().toLowerCase(Locale.ROOT);
    String ending = name.substring(name.lastIndexOf('.') + 1);
    ExampleReader reader = new ExampleReader(file, tokenizer, tokens, seqLen);
    List<Example> examples =
        switch (ending) {
          case "txt" -> reader.windows(options);
          case "jsonl" -> reader.jsonLines(options);
          case "tsv" -> reader.tabbedLines(options);
          default ->
              throw new UnsupportedException(
                  "unknown kind of data", file.toString(), "expected .txt, .jsonl or .tsv", "");
        };
    return new Dataset(
        file,
        Hashing.sha256(file),
        tokens.task(),
        examples,
        OptionalInt.of(seqLen),
        reader.truncated());
  }

  /** At most {@code size} examples from {@code first} on. */
  public Batch batch(int first, int size) {
    int last = (int) Math.min(examples.size(), (long) first + size);
    return Batch.of(first, examples.subList(first, last));
  }

  /** The examples, at most {@code size} at a time; each batch is made when it is asked for. */
  public Stream<Batch> batches(int size) {
    if (size < 1) {
      throw new UsageException("--batch " + size + " is too few", "use 1 or more");
    }
    return IntStream.iterate(0, first -> first < examples.size(), first -> first + size)
        .mapToObj(first -> batch(first, size));
  }
}
