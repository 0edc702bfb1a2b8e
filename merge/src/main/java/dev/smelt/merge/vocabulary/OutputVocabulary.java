package dev.smelt.merge.vocabulary;

import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.tokenizer.AddedToken;
import dev.smelt.formats.tokenizer.Extension;
import dev.smelt.formats.tokenizer.TokenizerFile;
import dev.smelt.formats.tokenizer.TokenizerFolder;
import dev.smelt.formats.tokenizer.Vocabulary;
import dev.smelt.merge.vocabulary.TokenizerRequest.Source;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The tokens of the output.
 *
 * @param donor whose files the output gets
 * @param files that lie beside the donor's vocabulary
 * @param model of which the donor is the tokenizer; absent: of none of them
 * @param tokens with their ids in the output: the donor's have those they have there
 * @param extension what the donor's tokenizer gets more
 * @param notes what the user should know
 */
record OutputVocabulary(
    TokenizerFolder donor,
    List<Path> files,
    OptionalInt model,
    Vocabulary tokens,
    Extension extension,
    List<String> notes) {

  OutputVocabulary {
    files = List.copyOf(files);
    notes = List.copyOf(notes);
  }

  /**
   * @param home the base, or without one the first model
   */
  static OutputVocabulary of(List<ModelVocabulary> models, int home, TokenizerRequest request) {
    return switch (request.source()) {
      case Source.Base() -> plain(models, home, request);
      case Source.Union() -> new Union(models, home).with(request.tokens().sequencedKeySet());
      case Source.Folder(Path path) -> {
        OptionalInt model = among(models, path);
        yield model.isPresent() ? plain(models, model.getAsInt(), request) : foreign(path, request);
      }
    };
  }

  private static OptionalInt among(List<ModelVocabulary> models, Path path) {
    for (int i = 0; i < models.size(); i++) {
      Path other = models.get(i).checkpoint().path();
      if (other.toAbsolutePath().normalize().equals(path.toAbsolutePath().normalize())) {
        return OptionalInt.of(i);
      }
    }
    return OptionalInt.empty();
  }

  private static OutputVocabulary plain(
      List<ModelVocabulary> models, int model, TokenizerRequest request) {
    ModelVocabulary source = models.get(model);
    return extended(
        source.folder(), source.checkpoint().sideFiles(), OptionalInt.of(model), request);
  }

  private static OutputVocabulary foreign(Path path, TokenizerRequest request) {
    List<Path> files = Storage.local().isFolder(path) ? Storage.local().files(path) : List.of();
    TokenizerFolder folder =
        TokenizerFolder.of(files)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no tokenizer",
                        path.toString(),
                        "expected a folder with tokenizer.json",
                        "give base, union or the folder of a model"));
    folder.json().ifPresent(TokenizerFile::requireStableIds);
    folder.requireAgreement(files);
    return extended(folder, files, OptionalInt.empty(), request);
  }

  private static OutputVocabulary extended(
      TokenizerFolder donor, List<Path> files, OptionalInt model, TokenizerRequest request) {
    Map<String, Integer> ids = new LinkedHashMap<>(donor.vocabulary().ids());
    List<AddedToken> added = new ArrayList<>();
    int next = donor.vocabulary().end();
    for (String token : request.tokens().keySet()) {
      if (!ids.containsKey(token)) {
        ids.put(token, next);
        added.add(AddedToken.plain(token, next));
        next++;
      }
    }
    return new OutputVocabulary(
        donor,
        files,
        model,
        Vocabulary.of(ids, donor.source().toString()),
        new Extension(List.of(), added, List.of()),
        List.of());
  }
}
