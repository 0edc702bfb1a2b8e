package dev.smelt.formats.model;

/** What a tensor is in its network, as far as methods care. */
public enum TensorRole {
  /** A dense layer's matrix inside a block, stored [out, in]. */
  LINEAR,
  /** A dense layer's matrix stored [in, out], as GPT-2's Conv1D does. */
  CONV1D,
  /**
   * The kernels of a two-dimensional convolution, [out, in, kh, kw]; those of a single input per
   * output, as depthwise convolutions have, are not among them.
   */
  CONVOLUTION,
  /** Rows looked up by token, position or segment. */
  EMBEDDING,
  /** The layers that turn hidden states into predictions: LM head, classifier, pooler. */
  HEAD,
  /** Scale or shift of a normalisation. */
  NORM,
  BIAS,
  /** Stored with the weights but computed, not learned: causal masks, position ids. */
  BUFFER,
  /** One of the two factors of a low-rank layer, or one that several layers share. */
  FACTOR,
  /** Anything else. */
  OTHER;

  /**
   * True of the matrices, those of convolutions included, that compression looks at unless told
   * otherwise.
   */
  public boolean isBlockMatrix() {
    return this == LINEAR || this == CONV1D || this == CONVOLUTION;
  }
}
