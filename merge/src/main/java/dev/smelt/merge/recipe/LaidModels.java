package dev.smelt.merge.recipe;

import dev.smelt.formats.Checkpoint;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.vocabulary.TokenizerRequest;
import dev.smelt.merge.vocabulary.Vocabularies;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Function;

/** The models of a stage with the vocabulary that its recipe asks for. */
public final class LaidModels implements OpenedModels {

  private final OpenedModels opened;
  private final Map<ModelReference, Checkpoint> laid = new HashMap<>();

  private LaidModels(OpenedModels opened) {
    this.opened = opened;
  }

  /**
   * @param opened the models as they are stored
   * @param models likewise, without statistics
   * @param scratchNear a file or folder on whose disk matrices are put together
   * @param closing to which is added what must be closed
   * @return the same where the stage asks for no tokenizer
   */
  public static OpenedModels of(
      Stage stage,
      OpenedModels opened,
      Function<ModelReference, Checkpoint> models,
      Path scratchNear,
      List<AutoCloseable> closing) {
    if (stage.tokenizer().isEmpty()) {
      return opened;
    }
    List<ModelReference> references = new ArrayList<>(stage.models());
    Vocabularies vocabularies =
        Vocabularies.plan(
            references.stream().map(models).toList(),
            stage.base().isPresent() ? OptionalInt.of(0) : OptionalInt.empty(),
            request(stage.tokenizer().get(), models),
            scratchNear);
    closing.add(vocabularies);
    LaidModels result = new LaidModels(opened);
    for (int i = 0; i < references.size(); i++) {
      result.laid.put(references.get(i), vocabularies.models().get(i));
    }
    return result;
  }

  private static TokenizerRequest request(
      RecipeTokenizer wanted, Function<ModelReference, Checkpoint> models) {
    TokenizerRequest.Source source =
        switch (wanted.kind()) {
          case BASE -> new TokenizerRequest.Source.Base();
          case UNION -> new TokenizerRequest.Source.Union();
          case MODEL ->
              new TokenizerRequest.Source.Folder(
                  wanted.model().map(models).map(Checkpoint::path).orElseThrow());
        };
    return new TokenizerRequest(source, new LinkedHashMap<>(), wanted.padTo());
  }

  @Override
  public MergeInput of(Source source) {
    MergeInput stored = opened.of(source);
    Checkpoint model = laid.getOrDefault(source.model(), stored.checkpoint());
    return new MergeInput(model, stored.sha256(), stored.statistics());
  }
}
