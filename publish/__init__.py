"""Publishing to the Hugging Face Hub: data sets that the engine built, models that training finished."""
