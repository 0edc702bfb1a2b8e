package dev.smelt.gpu.data;

import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Hashing;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Examples for a network, in file order.
 *
 * @param file where they come from
 * @param sha256 of that file, in lower-case hex
 * @param examples at least one
 * @param seqLen the longest an example could be, in tokens
 * @param truncated how many of the examples were cut to that
 */
public record Dataset(
    Path file, String sha256, List<Example> examples, int seqLen, long truncated) {

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
    int seqLen = options.seqLen().orElse(input.maxPositions());
    if (seqLen > input.maxPositions()) {
      throw new UsageException(
          "--seq-len " + seqLen + " is beyond the network's " + input.maxPositions() + " positions",
          "use at most " + input.maxPositions());
    }
    String name = file.toString().toLowerCase(Locale.ROOT);
    String ending = name.substring(name.lastIndexOf('.') + 1);
    ExampleReader reader = new ExampleReader(file, tokenizer, input, seqLen);
    List<Example> examples =
        switch (ending) {
          case "txt" -> reader.windows(options);
          case "jsonl" -> reader.jsonLines(options);
          case "tsv" -> reader.tabbedLines(options);
          default ->
              throw new UnsupportedException(
                  "unknown kind of data", file.toString(), "expected .txt, .jsonl or .tsv", "");
        };
    return new Dataset(file, Hashing.sha256(file), examples, seqLen, reader.truncated());
  }

  /** The examples, at most {@code size} at a time. */
  public List<Batch> batches(int size) {
    if (size < 1) {
      throw new UsageException("--batch " + size + " is too few", "use 1 or more");
    }
    List<Batch> batches = new ArrayList<>();
    for (int first = 0; first < examples.size(); first += size) {
      int last = Math.min(examples.size(), first + size);
      batches.add(Batch.of(first, examples.subList(first, last)));
    }
    return batches;
  }
}
