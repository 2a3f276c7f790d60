/**
 * The other classes of transformers 5.24 that make a tokenizer by rules of their own, none of which a BLIP-2 was published with
 * (`record_classes.py`). A name that transformers does not know stands for `tokenizer.json` as it is.
 */
const STEMS = `
Albert Auto Bart Barthez Bartpho Basic BertGeneration BertJapanese Bertweet BigBird BioGpt BlenderbotSmall Blenderbot ByT5 CLIP CTRL
Camembert Canine Character Clvp CodeGen CodeLlama Cohere ConvBert CpmAnt Cpm DPRContextEncoder DPRQuestionEncoder DPRReader Deberta
DebertaV2 Dia DistilBert Electra Esm Esmc FNet FSMT FastSpeech2Conformer Flaubert Funnel GPTNeoXJapanese GPTNeoX GPTSw3 Gemma Herbert LED
Lasr LayoutLM LayoutLMv2 LayoutLMv3 LayoutXLM Longformer Luke Lxmert M2M100 MBart50 MBart MLuke MPNet Marian MarkupLM Mecab Mgpstr
MobileBert Mvp MyT5 Nllb Nougat OpenAIGPT PLBart Parakeet Pegasus Perceiver Phi3 Phobert Pop2Piano ProphetNet Qwen2 Qwen3_5 Rag Reformer
RemBert RoCBert RoFormer Roberta SeamlessM4T Siglip2 Siglip Speech2Text SpeechT5 Splinter SqueezeBert Tapas Tipsv2 Udop VideoPrism Vits
Wav2Vec2CTC Wav2Vec2PhonemeCTC Whisper Wordpiece XGLM XLMRoberta XLM XLNet
`;

/** Of no model: they read other files than `tokenizer.json`. */
const BACKENDS = ['SentencePieceBackend', 'MistralCommonBackend'];

/** Names without the `Fast` behind them. */
export const FOREIGN_CLASSES: ReadonlySet<string> = new Set([
  ...BACKENDS,
  ...STEMS.trim()
    .split(/\s+/)
    .map((stem) => `${stem}Tokenizer`),
]);
