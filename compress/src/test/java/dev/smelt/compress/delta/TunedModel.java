package dev.smelt.compress.delta;

import static dev.smelt.formats.testing.TestTensors.f32;

import dev.smelt.compress.testing.Plain;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A tiny GPT-2 by hand and what fine-tuning made of it: changes of rank 2, new biases and norms.
 */
final class TunedModel {

  static final String CONFIG =
      "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"]}";

  static final String TABLE = "transformer.wte.weight";
  static final String ATTENTION = "transformer.h.0.attn.c_attn.weight";
  static final String SAME = "transformer.h.0.mlp.c_fc.weight";

  static final double[][] BASE_TABLE = Plain.random(30, 8, 1);
  static final double[][] BASE_ATTENTION = Plain.random(8, 24, 2);

  /** Stored like the matrices they are added to. */
  static final double[][] TABLE_CHANGE = Plain.scale(Plain.ofRank(30, 8, 2, 3), 0.1);

  static final double[][] ATTENTION_CHANGE = Plain.scale(Plain.decaying(8, 24, 0.5, 4), 0.1);

  private TunedModel() {}

  static List<TestTensor> base() {
    return new ArrayList<>(
        List.of(
            Plain.tensor(TABLE, BASE_TABLE),
            Plain.tensor(ATTENTION, BASE_ATTENTION),
            vector("transformer.h.0.attn.c_attn.bias", 24, 0),
            vector("transformer.h.0.ln_1.weight", 8, 1),
            vector("transformer.h.0.ln_1.bias", 8, 0),
            Plain.tensor(SAME, Plain.random(8, 32, 5)),
            vector("transformer.h.0.mlp.c_fc.bias", 32, 0)));
  }

  static List<TestTensor> tuned() {
    List<TestTensor> tensors = base();
    tensors.set(0, Plain.tensor(TABLE, Plain.add(BASE_TABLE, 1, TABLE_CHANGE)));
    tensors.set(1, Plain.tensor(ATTENTION, Plain.add(BASE_ATTENTION, 1, ATTENTION_CHANGE)));
    tensors.set(2, vector("transformer.h.0.attn.c_attn.bias", 24, 0.25f));
    tensors.set(4, vector("transformer.h.0.ln_1.bias", 8, 0.5f));
    tensors.set(6, vector("transformer.h.0.mlp.c_fc.bias", 32, 0.75f));
    return tensors;
  }

  static Path write(Path folder, List<TestTensor> tensors) {
    return TestCheckpoints.folder(folder, CONFIG, tensors);
  }

  static TestTensor vector(String name, int size, float value) {
    float[] values = new float[size];
    Arrays.fill(values, value);
    return f32(name, Shape.of(size), values);
  }
}
