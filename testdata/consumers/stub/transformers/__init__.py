"""A stand-in for Hugging Face transformers where that is not installed.

Written for the check beside it: classes, modules and tensors have the names that they have in
transformers, as far as the check needs them, and models are loaded the way transformers does it.
Nothing else of transformers is here.
"""

from .bert import BertForMaskedLM, BertForSequenceClassification
from .gpt2 import GPT2ForSequenceClassification, GPT2LMHeadModel
from .llama import LlamaForCausalLM

__all__ = [
    "BertForMaskedLM",
    "BertForSequenceClassification",
    "GPT2ForSequenceClassification",
    "GPT2LMHeadModel",
    "LlamaForCausalLM",
]
