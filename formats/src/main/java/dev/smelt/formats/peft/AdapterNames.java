package dev.smelt.formats.peft;

import dev.smelt.formats.UnsupportedException;

/**
 * Names of tensors in adapter_model.safetensors.
 *
 * <table>
 * <caption>Of a module {@code m}; all begin with {@code base_model.model.}</caption>
 * <tr><th>name</th><th>shape</th><th>what</th></tr>
 * <tr><td>{@code m.lora_A.weight}</td><td>[r, in]</td><td>factor of a matrix</td></tr>
 * <tr><td>{@code m.lora_B.weight}</td><td>[out, r]</td><td>factor of a matrix</td></tr>
 * <tr><td>{@code m.lora_B.bias}</td><td>[out]</td><td>added to the bias, scaled like factors</td></tr>
 * <tr><td>{@code m.lora_embedding_A}</td><td>[r, V]</td><td>factor of a table</td></tr>
 * <tr><td>{@code m.lora_embedding_B}</td><td>[d, r]</td><td>factor of a table</td></tr>
 * <tr><td>{@code m.base_layer.bias}</td><td>[out]</td><td>in full; of a module with factors</td></tr>
 * <tr><td>{@code m.weight}, {@code m.bias}</td><td>as in the model</td><td>in full</td></tr>
 * </table>
 */
public final class AdapterNames {

  static final String PREFIX = "base_model.model.";

  private static final String FACTOR_A = ".lora_A.weight";
  private static final String FACTOR_B = ".lora_B.weight";
  private static final String FACTOR_BIAS = ".lora_B.bias";
  private static final String TABLE_A = ".lora_embedding_A";
  private static final String TABLE_B = ".lora_embedding_B";

  /** Where PEFT wraps a layer, the layer itself is below this. */
  private static final String WRAPPED = "base_layer.";

  /** Early versions left the place of a saved module in its name. */
  private static final String SAVED = "modules_to_save.";

  private AdapterNames() {}

  /** What a tensor of an adapter is. */
  sealed interface Part {

    /**
     * @param module name in the model
     * @param table whether the module is an embedding
     */
    record Factor(String module, boolean isA, boolean table) implements Part {}

    record FactorBias(String module) implements Part {}

    /**
     * @param tensor name in the model
     */
    record Full(String tensor) implements Part {}
  }

  /** The factor that takes in. */
  public static String factorA(String module, boolean table) {
    return PREFIX + module + (table ? TABLE_A : FACTOR_A);
  }

  /** The factor that puts out. */
  public static String factorB(String module, boolean table) {
    return PREFIX + module + (table ? TABLE_B : FACTOR_B);
  }

  /** A tensor of the model in full. */
  public static String full(String tensor) {
    return PREFIX + tensor;
  }

  /** The bias of a module that has factors. */
  public static String wrappedBias(String module) {
    return PREFIX + module + "." + WRAPPED + "bias";
  }

  /**
   * @param where the file, for refusals
   * @throws UnsupportedException for a tensor that plain LoRA does not have
   */
  static Part parse(String name, String where) {
    if (!name.startsWith(PREFIX)) {
      throw unexpected(name, where, "expected a name that begins with " + PREFIX);
    }
    String inside = name.substring(PREFIX.length());
    if (inside.endsWith(FACTOR_A) || inside.endsWith(TABLE_A)) {
      boolean table = inside.endsWith(TABLE_A);
      return new Part.Factor(cut(inside, table ? TABLE_A : FACTOR_A), true, table);
    }
    if (inside.endsWith(FACTOR_B) || inside.endsWith(TABLE_B)) {
      boolean table = inside.endsWith(TABLE_B);
      return new Part.Factor(cut(inside, table ? TABLE_B : FACTOR_B), false, table);
    }
    if (inside.endsWith(FACTOR_BIAS)) {
      return new Part.FactorBias(cut(inside, FACTOR_BIAS));
    }
    if (inside.contains(".lora_")) {
      throw unexpected(name, where, "expected the factors lora_A and lora_B");
    }
    return new Part.Full(unwrapped(inside));
  }

  private static String cut(String name, String ending) {
    return name.substring(0, name.length() - ending.length());
  }

  private static String unwrapped(String tensor) {
    int leaf = tensor.lastIndexOf('.') + 1;
    String module = tensor.substring(0, leaf);
    if (module.endsWith("." + WRAPPED)) {
      return cut(module, WRAPPED) + tensor.substring(leaf);
    }
    return tensor.replaceFirst("\\." + SAVED.replace(".", "\\.") + "(default\\.)?", ".");
  }

  private static UnsupportedException unexpected(String name, String where, String detail) {
    return new UnsupportedException(
        "unexpected tensor in an adapter",
        where + "|" + name,
        detail,
        "merge it into its base with PEFT and use the result");
  }
}
