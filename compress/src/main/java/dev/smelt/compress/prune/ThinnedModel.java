package dev.smelt.compress.prune;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.LeftOutRecord;
import dev.smelt.formats.manifest.TensorRecord;
import java.util.List;
import java.util.Map;

/**
 * A model with fewer weights, before it is written: a checkpoint like any other, which a network
 * can be loaded from. It lives as long as the model that it was made of; closing it frees what it
 * made, not that model.
 */
public interface ThinnedModel extends Checkpoint {

  /** What will be written. */
  CheckpointWriter.Content content();

  /**
   * Fills every slot of a writer made for {@link #content()}.
   *
   * @return a record for each tensor of the model that it was made of
   */
  List<TensorRecord> write(CheckpointWriter writer, int threads, Progress progress);

  /** The units that it lacks; none where only single weights are zero. */
  default List<LeftOutRecord> unitsLeftOut() {
    return List.of();
  }

  /** What the user should know. */
  List<String> notes();

  /** Names of the tensors that training may change. */
  List<String> trainable();

  /**
   * Puts other values in place of tensors.
   *
   * @param values by name, of the same shapes; zeros that pruning made must be there
   */
  void replace(Map<String, TensorView> values);
}
