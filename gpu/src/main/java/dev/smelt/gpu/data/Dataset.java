package dev.smelt.gpu.data;

import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Examples for a network, in file order.
 *
 * @param file where they come from
 * @param sha256 of that file, in lower-case hex; for a folder, of a list of the hashes and names of
 *     its files
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

  private static final Set<String> ARCHIVES =
      Set.of("zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z");

  public Dataset {
    examples = List.copyOf(examples);
    if (examples.isEmpty()) {
      throw new UsageException("no examples in " + file, "give a longer file");
    }
  }

  /**
   * Reads a file by its ending, or a folder of images:
   *
   * <ul>
   *   <li>{@code .txt}, for networks that predict tokens. Language models: window i has the inputs
   *       from token i·T on, T of them, and as targets the same shifted by one. Masked language
   *       models: windows of T tokens with special tokens around each, some of them hidden. A last
   *       window that is not full is dropped;
   *   <li>{@code .jsonl}, an object per line: {@code {"text"}} for networks that predict tokens,
   *       each line a text of its own; {@code {"text", "label"}}, {@code {"text", "pair", "label"}}
   *       or {@code {"input_ids", "label"}} for classifiers; other keys do not matter;
   *   <li>{@code .tsv}, for classifiers: text, TAB, label;
   *   <li>{@code .safetensors}: token ids [N, T], with labels [N] for classifiers and without for
   *       language models; or tensors [N, …] with labels [N] for networks of images;
   *   <li>a folder {@code class/*.png}, {@code .jpg} or {@code .jpeg}, for networks of images.
   * </ul>
   *
   * <p>A label is the index or the name of a class. Where the network says nothing of what it takes
   * ({@link InputSpec.Open}), the data decide: {@code .txt} is for a language model, {@code
   * .jsonl}, {@code .tsv} and images for classifiers.
   *
   * @param tokenizer used for text only
   * @throws UsageException when file and network do not go together, or an option has no effect
   * @throws dev.smelt.formats.BadInputException naming file and line
   */
  public static Dataset read(Path file, Tokenizer tokenizer, InputSpec input, DataOptions options) {
    if (!Storage.local().exists(file)) {
      throw new NotFoundException("no such data", file.toString(), "", "check the path");
    }
    if (Storage.local().isFolder(file)) {
      return ImageFolder.read(file, input, options);
    }
    String ending = ImageFolder.ending(file);
    if (TextFile.ENDINGS.contains(ending)) {
      return TextFile.read(file, ending, tokenizer, input, options);
    }
    if (ending.equals("safetensors")) {
      return TensorFile.read(file, input, options);
    }
    String advice = "";
    if (ImageFolder.ENDINGS.contains(ending)) {
      advice = "give the folder that holds the folders of the classes";
    } else if (ARCHIVES.contains(ending)) {
      advice = "unpack it and give the folder or file inside";
    }
    throw new UnsupportedException(
        "unknown kind of data",
        file.toString(),
        "expected .txt, .jsonl, .tsv, .safetensors or a folder of images",
        advice);
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
