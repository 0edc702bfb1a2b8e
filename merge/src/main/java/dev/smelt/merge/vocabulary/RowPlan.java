package dev.smelt.merge.vocabulary;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.merge.vocabulary.RowMap.Place;
import dev.smelt.merge.vocabulary.TokenRow.Source;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * For each row of the output and each model, which row of which model stands for it.
 *
 * <p>A model's own row, where it has the token. Otherwise that of the base, if the base has it;
 * that of the only model that has it, if there is just one; the mean of the rows of those that have
 * it; zeros, if no model has it. So what a model does not know does not move what others do.
 *
 * <p>A row without a token is the model's own row of that number, if that has no token there
 * either; otherwise that of the vocabulary's source, or zeros where the source has no such row. So
 * models of one vocabulary stay as they are.
 */
final class RowPlan {

  private final List<ModelVocabulary> models;
  private final OptionalInt base;
  private final OutputVocabulary output;
  private final TokenizerRequest request;
  private final int rows;

  /**
   * @param base the model whose rows go before those of others; absent: none
   */
  RowPlan(
      List<ModelVocabulary> models,
      OptionalInt base,
      OutputVocabulary output,
      TokenizerRequest request) {
    this.models = List.copyOf(models);
    this.base = base;
    this.output = output;
    this.request = request;
    this.rows = rows(models, output, request);
  }

  private static int rows(
      List<ModelVocabulary> models, OutputVocabulary output, TokenizerRequest request) {
    int needed = output.tokens().end();
    if (request.padToMultipleOf().isPresent()) {
      int step = request.padToMultipleOf().getAsInt();
      return Math.multiplyExact(Math.ceilDiv(needed, step), step);
    }
    OptionalInt source = output.model();
    return source.isPresent() ? Math.max(needed, models.get(source.getAsInt()).rows()) : needed;
  }

  /** Of the matrices of the output. */
  int rows() {
    return rows;
  }

  /**
   * @throws NotFoundException when a row that was chosen by hand is not there
   */
  RowMap map(int model) {
    int[] donors = new int[rows];
    int[] places = new int[rows];
    for (int o = 0; o < rows; o++) {
      Place place = place(model, o);
      donors[o] = place.model();
      places[o] = place.row();
    }
    return new RowMap(model, donors, places);
  }

  private Place place(int model, int o) {
    Optional<String> token = output.tokens().token(o);
    if (token.isEmpty()) {
      return rest(model, o);
    }
    Optional<TokenRow> byHand = Optional.ofNullable(request.tokens().get(token.get()));
    OptionalInt own = models.get(model).tokens().id(token.get());
    boolean forced = byHand.map(TokenRow::force).orElse(false);
    if (own.isPresent() && !forced) {
      return new Place(model, own.getAsInt());
    }
    return byHand
        .flatMap(TokenRow::source)
        .map(source -> place(token.get(), source))
        .orElseGet(() -> usual(token.get()));
  }

  private Place rest(int model, int o) {
    if (models.get(model).hasFreeRow(o)) {
      return new Place(model, o);
    }
    boolean there = output.model().isPresent() && o < models.get(output.model().getAsInt()).rows();
    return there ? new Place(output.model().getAsInt(), o) : new Place(RowMap.ZERO, 0);
  }

  private Place usual(String token) {
    List<Place> holders = holders(token);
    if (holders.isEmpty()) {
      return new Place(RowMap.ZERO, 0);
    }
    if (holders.size() == 1) {
      return holders.getFirst();
    }
    return holders.stream()
        .filter(holder -> base.isPresent() && holder.model() == base.getAsInt())
        .findFirst()
        .orElse(new Place(RowMap.MEAN, 0));
  }

  private Place place(String token, Source source) {
    return switch (source) {
      case Source.Zero() -> new Place(RowMap.ZERO, 0);
      case Source.OfModel(int model) -> new Place(model, id(model, token));
      case Source.OfToken(int model, String other) -> new Place(model, id(model, other));
      case Source.OfId(int model, int id) -> {
        if (id < 0 || id >= models.get(model).rows()) {
          throw new MismatchException(
              "row of a token that is not there",
              models.get(model).checkpoint().path().toString(),
              "expected one of " + models.get(model).rows() + " for '" + token + "', found " + id,
              "name a row of the model");
        }
        yield new Place(model, id);
      }
    };
  }

  private int id(int model, String token) {
    return models
        .get(model)
        .tokens()
        .id(token)
        .orElseThrow(
            () ->
                new NotFoundException(
                    "no such token",
                    models.get(model).folder().source().toString(),
                    "expected '" + token + "'",
                    "name a token of the model"));
  }

  /** The rows of the models that have the token of row {@code o}. */
  List<Place> holders(int o) {
    return output.tokens().token(o).map(this::holders).orElse(List.of());
  }

  private List<Place> holders(String token) {
    List<Place> holders = new ArrayList<>();
    for (int model = 0; model < models.size(); model++) {
      OptionalInt id = models.get(model).tokens().id(token);
      if (id.isPresent()) {
        holders.add(new Place(model, id.getAsInt()));
      }
    }
    return holders;
  }
}
