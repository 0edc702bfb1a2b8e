package dev.smelt.compress.delta;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Writes the dense model of an adapter and its base. */
public final class AdapterExpander {

  private AdapterExpander() {}

  /**
   * @param dtype of everything written; absent: each tensor as in the base, or in the adapter where
   *     it is there in full
   */
  public static CheckpointWriter.Content content(AdaptedModel model, Optional<DType> dtype) {
    return new CheckpointWriter.Content(
        model.infos().stream().map(info -> info.withFloatsAs(dtype)).toList(),
        Map.of(),
        model.config().map(config -> config.withDtype(dtype)),
        model.sideFiles());
  }

  /** Fills every slot of a writer made for {@link #content}. */
  public static void write(AdaptedModel model, CheckpointWriter writer) {
    for (TensorView tensor : model.tensors()) {
      writer.slot(tensor.name()).transfer(tensor);
    }
  }

  /** One record per tensor of the output. */
  public static List<TensorRecord> records(AdaptedModel model, Optional<DType> dtype) {
    return model.changes().entrySet().stream()
        .map(entry -> record(model.tensor(entry.getKey()).info(), entry.getValue(), dtype))
        .toList();
  }

  private static TensorRecord record(
      TensorInfo info, AdaptedModel.Change change, Optional<DType> dtype) {
    long after = info.withFloatsAs(dtype).bytes();
    return switch (change) {
      case NONE -> TensorRecord.kept(info.name(), null, info.bytes(), after);
      case REPLACED -> TensorRecord.kept(info.name(), "from the adapter", info.bytes(), after);
      case ADDED_TO -> TensorRecord.of(info.name(), TensorRecord.EXPANDED, info.bytes(), after);
    };
  }
}
