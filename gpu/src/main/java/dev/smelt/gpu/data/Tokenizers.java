package dev.smelt.gpu.data;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Finds the tokenizer that belongs to a model. */
public final class Tokenizers {

  private static final String LIBRARY_FILE = "tokenizer.json";
  private static final String WORD_PIECE_FILE = "vocab.txt";
  private static final String CONFIG_FILE = "tokenizer_config.json";

  /** Tokenizers in forms that are not read; their presence means that ids are not bytes. */
  private static final Set<String> OTHER_FILES =
      Set.of(
          "vocab.json",
          "merges.txt",
          "tokenizer.model",
          "sentencepiece.bpe.model",
          "spiece.model",
          "tekken.json");

  /** The largest published vocabularies take some 40 MB. */
  private static final long MAX_BYTES = 512L << 20;

  private Tokenizers() {}

  /**
   * The tokenizer in the model's folder: {@code tokenizer.json}, or {@code vocab.txt} of BERT. A
   * model without any that has 256 tokens reads bytes.
   *
   * @throws UnsupportedException when there is no tokenizer that can be used
   */
  public static Tokenizer forCheckpoint(Checkpoint checkpoint) {
    Optional<Path> library = file(checkpoint, LIBRARY_FILE);
    if (library.isPresent()) {
      String where = library.get().toString();
      return new LibraryTokenizer(LIBRARY_FILE, read(library.get()), where);
    }
    Optional<Path> wordPiece = file(checkpoint, WORD_PIECE_FILE);
    if (wordPiece.isPresent()) {
      return wordPiece(wordPiece.get(), lowerCase(checkpoint));
    }
    List<String> others =
        checkpoint.sideFiles().stream()
            .map(Tokenizers::name)
            .filter(OTHER_FILES::contains)
            .toList();
    int vocabulary = checkpoint.config().map(c -> c.integer("vocab_size").orElse(0)).orElse(0);
    if (others.isEmpty() && vocabulary == ByteTokenizer.VOCABULARY_SIZE) {
      return new ByteTokenizer();
    }
    throw new UnsupportedException(
        "no usable tokenizer",
        checkpoint.path().toString(),
        "expected tokenizer.json or vocab.txt, found " + (others.isEmpty() ? "none" : others),
        "save the tokenizer as tokenizer.json in the model's folder");
  }

  /**
   * As {@link #forCheckpoint}, looked for when it is first needed: not all data are text.
   *
   * @param checkpoint open for as long as the tokenizer is used
   */
  public static Tokenizer whenNeeded(Checkpoint checkpoint) {
    return new LazyTokenizer(() -> forCheckpoint(checkpoint));
  }

  private static Tokenizer wordPiece(Path file, boolean lowerCase) {
    List<String> lines = Lines.of(Lines.decode(read(file), file.toString()));
    byte[] json = WordPiece.toTokenizerJson(lines, lowerCase, file.toString());
    return new LibraryTokenizer(WORD_PIECE_FILE, json, file.toString());
  }

  private static boolean lowerCase(Checkpoint checkpoint) {
    return file(checkpoint, CONFIG_FILE)
        .map(path -> ModelConfig.parse(read(path), path.toString()).flag("do_lower_case", true))
        .orElse(true);
  }

  private static Optional<Path> file(Checkpoint checkpoint, String name) {
    return checkpoint.sideFiles().stream().filter(path -> name(path).equals(name)).findFirst();
  }

  private static String name(Path path) {
    return String.valueOf(path.getFileName());
  }

  private static byte[] read(Path path) {
    return Storage.local().read(path, MAX_BYTES);
  }
}
