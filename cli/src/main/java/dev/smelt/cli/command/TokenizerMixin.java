package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.vocabulary.TokenizerRequest;
import dev.smelt.merge.vocabulary.TokenizerRequest.Source;
import dev.smelt.merge.vocabulary.Vocabularies;
import dev.smelt.merge.vocabulary.VocabularyModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option of merging models of different vocabularies. */
final class TokenizerMixin {

  @Option(
      names = "--tokenizer",
      paramLabel = "base|union|PATH",
      description =
          "Match rows of embeddings by token: the vocabulary of the base or first model, all tokens"
              + " of all models, or the vocabulary of a folder. Without it models must have one"
              + " vocabulary.")
  private @Nullable String tokenizer;

  /**
   * @throws UsageException when the output has no place for the tokenizer that was asked for
   */
  void requirePlace(OutputOptions output) {
    if (tokenizer != null && output.isSingleFile()) {
      throw new UsageException(
          "--tokenizer " + tokenizer + ": a file has no tokenizer beside it", "write to a folder");
    }
  }

  /** What is read, for checks of the output: the arguments and the folder of a tokenizer. */
  List<Path> with(List<Path> paths) {
    List<Path> all = new ArrayList<>(paths);
    if (tokenizer != null
        && TokenizerRequest.parse(tokenizer).source() instanceof Source.Folder(Path folder)) {
      all.add(folder);
    }
    return all;
  }

  /**
   * The models as they are with the vocabulary asked for; the same when none was.
   *
   * @param onBase whether the first one is what the others are changes of
   * @param target of the output, on whose disk matrices are put together
   * @param opened to which is added what must be closed
   */
  List<MergeInput> laid(
      List<MergeInput> inputs, boolean onBase, Path target, List<AutoCloseable> opened) {
    if (tokenizer == null) {
      return inputs;
    }
    Vocabularies vocabularies =
        Vocabularies.plan(
            inputs.stream().map(MergeInput::checkpoint).toList(),
            onBase ? OptionalInt.of(0) : OptionalInt.empty(),
            TokenizerRequest.parse(tokenizer),
            target);
    opened.add(vocabularies);
    List<MergeInput> laid = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      MergeInput input = inputs.get(i);
      laid.add(new MergeInput(vocabularies.models().get(i), input.sha256(), input.statistics()));
    }
    return laid;
  }

  /** Files of the output that are no copies. */
  static SortedMap<String, String> texts(Checkpoint first) {
    return first instanceof VocabularyModel model
        ? model.vocabularies().texts()
        : Collections.emptySortedMap();
  }

  /** What a reader of the manifest should know. */
  static List<String> notes(Checkpoint first) {
    return first instanceof VocabularyModel model ? model.vocabularies().notes() : List.of();
  }

  /**
   * Bytes of a tensor of the first model as it is stored.
   *
   * @param view of it as it is merged
   */
  static long bytesBefore(Checkpoint first, TensorView view) {
    return first instanceof VocabularyModel model
        ? model.stored().tensor(view.name()).info().bytes()
        : view.info().bytes();
  }

  /** For the manifest. */
  void addTo(Map<String, Object> parameters) {
    if (tokenizer != null) {
      parameters.put("tokenizer", tokenizer);
    }
  }
}
